"""How nbgrader finds and grades the assignment; README.md says how to use it."""

c = get_config()  # noqa: F821 (nbgrader gives it)
c.CourseDirectory.course_id = "transfer-learning"
c.Execute.timeout = 300  # seconds for one cell, on a slow machine that grades one submission after another
c.Execute.iopub_timeout = 30
