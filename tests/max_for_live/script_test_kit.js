'use strict';

/** Assertions and settings that the tests of the script share. */

const assert = require('node:assert/strict');

const { SAMPLE_RATE } = require('./stage.js');

const EXACT_BEATS = 1e-6;
// Versions and settings of Live in which the script has to work. A setting of the user decides
// whether new clips start warped. Sources disagree whether a refused call throws into the script or
// only prints.
const LIVES = [
  ...[true, false].flatMap((warpNewClips) =>
    [true, false].map((errorsThrow) => ({ warpNewClips, errorsThrow })),
  ),
  { idsAreNumbers: true },
  { singlePrecision: true },
  { dictsOnly: true },
  { dictsOnly: true, errorsThrow: true },
  { loopNewClips: true },
  { analysisMs: 400 },
  { analysisMs: 2000 },
];

function near(actual, expected, tolerance = EXACT_BEATS) {
  assert.ok(Math.abs(actual - expected) < tolerance, `${actual} is not ${expected}`);
}

/** Asserts that a clip is a loop of whole bars, from the file's first frame to its last. */
function assertExact(clip, { beats, seconds, file }) {
  assert.ok(clip, 'no clip');
  assert.equal(clip.file_path, file);
  assert.equal(clip.warping, true);
  assert.equal(clip.looping, true);
  near(clip.loop_start, 0);
  near(clip.loop_end, beats);
  near(clip.length, beats);
  near(clip.start_marker, 0);
  near(clip.end_marker, beats);
  const markers = clip.warp_markers.slice(0, -1);
  assert.equal(markers.length, 2);
  near(markers[0].beat_time, 0);
  near(markers[0].sample_time, 0);
  near(markers[1].beat_time, beats);
  near(markers[1].sample_time, seconds, 1 / SAMPLE_RATE);
}

module.exports = { LIVES, assertExact, near };
