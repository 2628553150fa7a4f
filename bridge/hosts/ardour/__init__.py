"""Ardour: scripts inside it, and the companion that puts clips into its cue slots.

A Lua script of Ardour's can send OSC but cannot receive it. So the companion, a client of the
daemon, writes orders for it to a file (`inbox.py`), and the script (`melody_bridge.lua`) reads that
file ten times a second.
"""
