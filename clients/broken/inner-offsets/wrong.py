"""A wrong consumer: the offsets inside a compressed message are the log's to it, in every magic."""
import wire

wire.place = lambda offset, magic, rows: rows
