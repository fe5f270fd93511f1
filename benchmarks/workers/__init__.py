"""Worker scripts of the peers. A script runs one task in a separate process, in the environment of the peer."""
