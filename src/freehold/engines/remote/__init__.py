"""Engines that run elsewhere: any server that speaks the OpenAI API, by its address."""
