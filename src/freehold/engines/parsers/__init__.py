"""How functions are written into a prompt as text, and how calls are read out of an answer's text."""
