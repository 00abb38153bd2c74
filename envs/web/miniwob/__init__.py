"""The tasks of an installed MiniWoB++, through the same driver, arrays and actions as our own."""
