"""Changing a storyboard as an instruction says: rules first, then a language model for what they leave."""
