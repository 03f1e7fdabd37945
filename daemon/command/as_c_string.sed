# A text file as the lines of a C string: what daemon/meson.build makes of compose/attach.yaml for the commands.
s/\\/\\\\/g
s/"/\\"/g
s/^/"/
s/$/\\n"/
