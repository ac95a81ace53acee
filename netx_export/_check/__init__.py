"""Named checks of a network: of its numbers, its file, how it is called, what was meant, and what it does on samples.

A check is a small function that yields problems (`_subject.named` makes it a `Check`); CHECKS lists them all. One more
is a function in one of these modules, and its name in that module's list.
"""
