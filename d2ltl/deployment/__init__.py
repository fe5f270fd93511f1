"""Use of trained networks: predictions for new photographs, export, a page in the browser."""
