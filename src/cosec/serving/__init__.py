"""An OpenAI-compatible server around the decoding engine; knows nothing about training and measures nothing itself."""
