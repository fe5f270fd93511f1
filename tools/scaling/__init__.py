"""What many machines would bring, computed from costs that were measured on one."""
