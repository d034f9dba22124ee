"""What a pull request does to the models: base and working tree built side by side, one report."""
