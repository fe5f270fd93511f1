"""Use of trained networks: predictions for new photographs, export, pages in the browser."""
