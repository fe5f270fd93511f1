"""One script for each peer: it does one task in a process of its own, in the environment of that peer."""
