/** What this build calls itself: in hellos, in `status`, and in `ringtail --version`. Held to package.json by a test. */

/** "ringtail/VERSION". */
export const softwareName = "ringtail/0.1.0" as const;
