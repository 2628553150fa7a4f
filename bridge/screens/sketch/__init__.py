"""The screen of `melody-bridge sketch`, a client of the daemon in a process of its own.

`link.py` folds the daemon's events into a `Snapshot`; `desk.py` knows which message each key sends;
`views.py` draws both as rows of cells; `app.py` shows the rows and passes the keys on; `guard.py`
owns the terminal and the daemon, and restores the one and ends the other whatever happens.
"""
