"""The commands as steps of other people's workflows; each module needs the library that it is called after."""
