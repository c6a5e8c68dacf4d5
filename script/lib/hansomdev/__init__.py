"""Starts the whole suite on one machine: for script/server and for the tests."""
