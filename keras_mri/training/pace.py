"""How far a training has come, and when its steps are to end: by steps, or by the clock of a time budget."""

import math

from keras_mri.training.clock import Clock, clock_of

# Share of a time budget by which a fit that is still begun may be late.
_SLACK = 0.05
# Share of the steps' time that the graphs of a further fit may take.
_MOST_OF_GRAPHS = 0.25


class Pace:
    """How far training has come: by the clock if there is a budget, by steps otherwise.

    With a budget, the training's steps end early enough for their validation, and for what the clock keeps time for.

    Parameters
    ----------
    steps : int
        All steps of the training.
    time_budget : float or None
        Seconds of the whole training, from the start of its command; without one from the creation of this object.
    share : float
        Of the time that is left now, the share that these steps may take.
    after : float
        Seconds of other work that follows them.

    Attributes
    ----------
    validation_steps : float
        Work of one validation, in steps of training.
    fits_after : int
        Fits of other networks that follow these steps.
    told : bool
        Whether it has been said that the budget is small.
    """

    def __init__(self, steps, time_budget=None, share=1.0, after=0.0):
        self.steps, self.time_budget = steps, time_budget
        self.step, self.validation_steps, self.fits_after, self.told = 0, 1.0, 0, False
        self.clock = clock_of(time_budget) or Clock(None)
        # Seconds on the clock: of the first step's beginning, of the end where it is not that of the clock.
        self._begun, self._after, self._end = None, after, None
        # Durations, s: of a fit's first step, in which its graph is made, of the last other step, of the longest validation.
        self._first, self._usual, self._validation, self._fresh = 0.0, 0.0, 0.0, True
        if time_budget and share < 1:
            self._end = self.elapsed() + share * (self.clock.end - after - self.elapsed())

    def elapsed(self):
        """Return the seconds since training began."""
        return self.clock.elapsed()

    @property
    def state(self):
        """Steps and seconds that are over; setting them takes a training up that was saved there."""
        return {"step": self.step, "seconds": self.elapsed(), "begun": self._begun, "end": self._end}

    @state.setter
    def state(self, state):
        self.step, self._begun, self._end = state["step"], state.get("begun"), state.get("end")
        self.clock.go_back_to(state["seconds"])

    def progress(self):
        """Return the share of the training that is done, 0.0 to 1.0."""
        if not self.time_budget:
            return min(1.0, self.step / self.steps)
        if self._begun is None:
            return 0.0
        return min(1.0, max(0.0, self.elapsed() - self._begun) / max(1e-3, self._last_moment() - self._begun))

    def remaining(self):
        """Return the seconds still to go, None before it can be told."""
        if self.time_budget:
            return max(0.0, self.time_budget - self.elapsed())
        return max(0.0, self.elapsed() * (self.steps - self.step) / self.step) if self.step else None

    def begin_fit(self):
        """Note that the next step is the first of a fit."""
        self._fresh = True

    def begin_step(self):
        """Note when a step begins."""
        self._since = self.elapsed()
        self._begun = self._since if self._begun is None else self._begun

    def end_step(self):
        """Count a step, and note its duration."""
        self.step += 1
        took = self.elapsed() - self._since
        if self._fresh:
            self._first, self._fresh = took, False
        else:
            self._usual = took

    def end_validation(self, seconds):
        """Note how long a validation took."""
        self._validation = max(self._validation, seconds)

    def over(self, until=1.0):
        """Tell whether the steps of a share of the training are done; of a budget, as near as whole steps come to it."""
        if not self.time_budget:
            return self.progress() >= until
        return self.elapsed() + self._usual / 2 >= self._last_moment(until)

    def steps_to_come(self):
        """Return about how many steps still fit: float; of a budget, from the second step of a fit on."""
        if not self.time_budget:
            return self.steps - self.step
        return max(0.0, self._last_moment() - self.elapsed()) / self._usual if self._usual else 0.0

    def least(self):
        """Return the seconds that the training takes if this step is its last one, with all that follows."""
        others = self._after + self.fits_after * self._least_of_a_fit()
        return self.elapsed() + self._next_validation() + others + self.time_budget - self.clock.end

    def has_time_for_another_fit(self):
        """Tell whether one more fit can be compiled, take a step and validate, a little late at most."""
        end = self.clock.end - self._after + _SLACK * self.time_budget if self.time_budget else math.inf
        return self.elapsed() + self._least_of_a_fit() <= end

    @property
    def end(self):
        """Seconds from the start to the end of the last validation of these steps."""
        if self._end is None:
            return self.clock.end - self._after
        return min(self._end, self.clock.end - self._after - self.fits_after * self._least_of_a_fit())

    def _least_of_a_fit(self):
        """Return about how long a fit of one step takes."""
        return self._first + self._next_validation()

    def _last_moment(self, until=1.0):
        """Return when, on the clock, the last step of a share of the training is to end."""
        moment = self._begun + until * (self.end - self._begun)
        if until < 1:
            # The fit that follows makes its graph, takes a step and validates at least; there is none where that would be most of it.
            needed = self._least_of_a_fit()
            moment = min(moment, self.end - needed) if needed < _MOST_OF_GRAPHS * (self.end - self._begun) else self.end
        return moment - self._next_validation()

    def _next_validation(self):
        """Return about how long the next validation takes: a forward pass is less than half a step, and so is making its graph."""
        return self._validation or (max(0.0, self._first - self._usual) + self.validation_steps * self._usual) / 2
