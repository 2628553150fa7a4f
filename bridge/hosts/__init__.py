"""Hosts: the DAWs that need more of Melody Bridge than OSC messages, a folder each."""
