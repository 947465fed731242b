"""The todo chatbot: an API for todos and a chat that works on them."""
