"""A wrong consumer: the offset of a compressed message of old is to it that of the first inside."""
import wire

wire.place = lambda offset, magic, rows: [(offset + at - rows[0][0], key, value) for at, key, value in rows]
