'use strict';

const { refuse } = require('./live_values.js');

// "The allowed BPM range is [5, 999]": docs.cycling74.com/apiref/lom/clip, add_warp_marker.
const LOWEST_BPM = 5;
const HIGHEST_BPM = 999;

// Sets saved by Live hold the hidden marker 1/32 beat after the last visible one (third-party).
const HIDDEN_MARKER_BEATS = 1 / 32;

// Live's own tolerance for "the marker at this beat" is not documented; JSON keeps more digits.
const SAME_BEAT = 1e-6;

/**
 * @typedef {{beat_time: number, sample_time: number}} WarpMarker beats; seconds in the file
 */

/**
 * The warp markers of one clip: they map the clip's beats to times in the file.
 * docs.cycling74.com/apiref/lom/clip, warp_markers: times between markers are interpolated, and
 * the last marker, which Live hides, sets the tempo after the last visible one.
 */
class WarpMap {
  /**
   * @param {WarpMarker[]} visible at least one, in order
   * @param {number} tailBpm tempo after the last marker, used as long as there is only one
   */
  constructor(visible, tailBpm) {
    this.visible = visible.map((marker) => ({ ...marker }));
    this.tailBpm = tailBpm;
    this.keepTail();
  }

  /** @returns {WarpMarker[]} the visible markers and, last, the hidden one */
  get markers() {
    const last = this.visible[this.visible.length - 1];
    const hidden = {
      beat_time: last.beat_time + HIDDEN_MARKER_BEATS,
      sample_time: last.sample_time + (HIDDEN_MARKER_BEATS * 60) / this.tailBpm,
    };
    return [...this.visible, hidden].map((marker) => ({ ...marker }));
  }

  /** @returns {number} the beat of a time in the file */
  beatAt(sampleTimeSeconds) {
    const [left, right] = this.segmentFor('sample_time', sampleTimeSeconds);
    return left.beat_time + ((sampleTimeSeconds - left.sample_time) * bpmOf(left, right)) / 60;
  }

  /** @returns {number} the time in the file, in seconds, of a beat */
  sampleTimeAt(beats) {
    const [left, right] = this.segmentFor('beat_time', beats);
    return left.sample_time + ((beats - left.beat_time) * 60) / bpmOf(left, right);
  }

  segmentFor(axis, value) {
    const markers = this.markers;
    const after = markers.findIndex((marker, place) => place > 0 && marker[axis] >= value);
    const right = after < 0 ? markers.length - 1 : after;
    return [markers[right - 1], markers[right]];
  }

  /**
   * @param {WarpMarker} marker
   * @throws {LiveRefusal} when the beat has a marker already, or Live's limits forbid it
   */
  add(marker) {
    // Third-party: Live refuses a second marker at beat 0, next to its own.
    if (this.placeOf(marker.beat_time) >= 0) refuse('a warp marker already exists at this beat');
    this.replaceVisible([...this.visible, { ...marker }]);
  }

  /**
   * @param {number} beats where the marker is
   * @param {number} distanceBeats
   * @throws {LiveRefusal} when there is none, or it would exceed Live's limits
   */
  move(beats, distanceBeats) {
    const place = this.placeOrRefuse(beats);
    const moved = this.visible.map((marker) => ({ ...marker }));
    moved[place].beat_time += distanceBeats;
    this.replaceVisible(moved);
  }

  /**
   * @param {number} beats where the marker is
   * @throws {LiveRefusal} when there is none, or no other
   */
  remove(beats) {
    const place = this.placeOrRefuse(beats);
    // Third-party: the first marker can be removed once there are others. Removing the only one is
    // not documented; the model refuses it, which is stricter.
    if (this.visible.length === 1) refuse('the last warp marker cannot be removed');
    this.replaceVisible(this.visible.filter((_, index) => index !== place));
  }

  placeOf(beats) {
    return this.visible.findIndex((marker) => Math.abs(marker.beat_time - beats) < SAME_BEAT);
  }

  placeOrRefuse(beats) {
    const place = this.placeOf(beats);
    // Third-party: the text that Live prints, also for the hidden marker, which cannot be moved.
    if (place < 0) refuse("The specified warp marker doesn't exist");
    return place;
  }

  replaceVisible(markers) {
    const sorted = [...markers].sort((one, other) => one.beat_time - other.beat_time);
    sorted.slice(1).forEach((right, index) => checkSegment(sorted[index], right));
    this.visible = sorted;
    this.keepTail();
  }

  keepTail() {
    const [left, right] = this.visible.slice(-2);
    if (right) this.tailBpm = bpmOf(left, right);
  }
}

function bpmOf(left, right) {
  return ((right.beat_time - left.beat_time) * 60) / (right.sample_time - left.sample_time);
}

function checkSegment(left, right) {
  // "The sample time must lie between the left and right adjacents markers' respective sample
  // times": docs.cycling74.com/apiref/lom/clip, add_warp_marker.
  if (right.sample_time <= left.sample_time || right.beat_time <= left.beat_time) {
    refuse('warp markers must be in the order of both their beats and their times');
  }
  const bpm = bpmOf(left, right);
  if (bpm < LOWEST_BPM || bpm > HIGHEST_BPM) {
    refuse(`a segment at ${bpm} bpm is outside ${LOWEST_BPM} ... ${HIGHEST_BPM} bpm`);
  }
}

module.exports = { WarpMap };
