"""Watching what serves: does it keep, on later examples, what the gate saw when it was pushed?"""
