"""What tests of programs share. Imported by the tests that meson calls, which stand in the directory above."""
