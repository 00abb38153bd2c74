"""Web tasks: sites and small tasks in a real browser, and their twin without one."""
