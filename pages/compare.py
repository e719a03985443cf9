"""Compare: two to eight runs beside each other."""

from ui import compare, shell

runner = shell.open_page("Compare")
with shell.guarded():
    compare.show(runner)
