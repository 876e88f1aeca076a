"""The reference engine: ``l7codecs proxy -c FILE`` routes each message of every protocol there is. See README.md beside this."""
