"""Chat models on servers, each protocol behind its provider's own package."""
