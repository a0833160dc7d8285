# Packages and releases.
