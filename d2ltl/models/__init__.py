"""Networks: source models, networks for the target task, frozen layers, parameters and their files."""
