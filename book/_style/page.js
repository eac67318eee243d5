// Opened from the disk, a page may not fetch others: the search lists its hits without their first lines.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
