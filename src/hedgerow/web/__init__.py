"""The dashboard in a browser: a server that shows views of bots and passes requests of their operators on."""
