"""A wrong transactional program: it does not say which member of the group commits offsets."""
import raw_transactional
import wire


class Transactional(raw_transactional.Transactional):
    def membership(self):
        return wire.i32(-1) + wire.cstring("") + wire.cstring(None)
