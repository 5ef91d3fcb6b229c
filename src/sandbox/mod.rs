//! A NuoDB-compatible domain on loopback, for demonstrations and tests.
