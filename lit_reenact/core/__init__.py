"""Types that are handed over between stages, conventions, and what every room needs: errors, files, paths, devices."""
