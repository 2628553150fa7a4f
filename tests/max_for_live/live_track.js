'use strict';

const path = require('node:path');

const { AudioClip, MidiClip } = require('./live_clip.js');
const { addRack } = require('./live_devices.js');
const {
  LiveObject, observed, plain, child, children, CANONICAL_PARENT,
} = require('./live_object.js');
const { PALETTE, nearestColorIndex } = require('./live_palette.js');
const { refuse, asBool, asFloat, asInt, asText } = require('./live_values.js');

/** A slot of Live's Session View. */
class ClipSlot extends LiveObject {
  constructor(track) {
    super(track.live, track);
    this.track = track;
    this.clip = null;
    this.has_stop_button = true;
    this.isRecording = false;
  }

  get owned() {
    return this.clip ? [this.clip] : [];
  }

  /**
   * docs.cycling74.com/apiref/lom/clipslot, create_audio_clip: "Given an absolute path to a valid
   * audio file in a supported format ... Throws an error if the clip slot doesn't belong to an
   * audio track or if the track is frozen". Reports: also on an occupied slot.
   */
  createAudioClip(filePath) {
    const absolute = path.posix.isAbsolute(filePath) || /^[A-Za-z]:[\\/]/.test(filePath);
    if (!absolute) refuse(`not an absolute path: ${filePath}`);
    if (this.track.kind !== 'audio') refuse('not an audio track');
    this.refuseUnlessFree();
    const { settings } = this.live;
    const clip = new AudioClip(this, {
      path: filePath,
      file: settings.readWav(filePath),
      warping: settings.warpNewClips,
      looping: settings.loopNewClips,
    });
    this.setClip(clip);
    this.live.analyseLater(clip);
  }

  /** "Can only be called on empty clip slots in MIDI tracks": the same page, create_clip. */
  createMidiClip(lengthBeats) {
    if (this.track.kind !== 'midi') refuse('not a MIDI track');
    this.refuseUnlessFree();
    if (asFloat(lengthBeats) <= 0) refuse('the length must be greater than 0');
    this.setClip(new MidiClip(this, { lengthBeats }));
  }

  refuseUnlessFree() {
    if (this.track.is_frozen) refuse('the track is frozen');
    if (this.clip) refuse('the clip slot already has a clip');
  }

  setClip(clip) {
    this.clip = clip;
    if (clip) clip.parent = this;
    this.live.treeChanged();
    this.notify('has_clip');
  }

  /** Deletes the clip; the file on disk stays. */
  deleteClip() {
    const { clip } = this;
    if (!clip) refuse('the clip slot is empty');
    this.track.forgetClip(clip);
    this.clip = null;
    clip.die();
    this.live.song.view.forgetClip(clip);
    this.setClip(null);
  }

  /** "overriding the target clip slot's clip if it's not empty": the same page. */
  duplicateTo(target) {
    if (!(target instanceof ClipSlot)) refuse('expected a clip slot');
    if (!this.clip) refuse('the clip slot is empty');
    if (target.track.kind !== this.track.kind) refuse('the target is a track of another kind');
    if (target.clip) target.deleteClip();
    target.setClip(this.clip.copyTo(target));
  }

  fire() {
    if (this.clip) {
      this.track.launch(this.clip);
    } else if (this.track.arm) {
      // "Starts recording if slot is empty and track is armed": the same page, fire.
      this.isRecording = true;
      this.live.song.start();
    } else {
      this.track.stopClip(this.track.playingClip);
    }
  }
}

const KINDS = ['audio', 'midi', 'group', 'return', 'master'];

/** A track of any kind, including returns and master. */
class Track extends LiveObject {
  /**
   * @param {object} song
   * @param {{name?: string, kind?: string, frozen?: boolean, group?: Track}} settings
   *   kind: audio, midi, group, return or master; group: the group track that contains it
   */
  constructor(song, { name = '', kind = 'audio', frozen = false, group = null }) {
    super(song.live, song);
    if (!KINDS.includes(kind)) throw new Error(`unknown kind of track: ${kind}`);
    this.kind = kind;
    this.name = name;
    this.group_track = group;
    this.is_frozen = frozen;
    this.color_index = song.tracks.length % PALETTE.length;
    this.arm = false;
    this.mute = false;
    this.solo = false;
    // 0 In, 1 Auto, 2 Off: docs.cycling74.com/apiref/lom/track, current_monitoring_state.
    this.current_monitoring_state = 1;
    this.devices = [];
    /** The object that contains its clips in the Arrangement. */
    this.arranged = [];
    this.playingClip = null;
    this.triggeredClip = null;
    this.launchCount = 0;
    this.slots = this.hasSlots ? song.scenes.map(() => new ClipSlot(this)) : [];
  }

  get track() {
    return this;
  }

  get owned() {
    return [...this.slots, ...this.devices];
  }

  // "[not in return/master tracks]": docs.cycling74.com/apiref/lom/track, clip_slots.
  get hasSlots() {
    return this.kind !== 'return' && this.kind !== 'master';
  }

  get canBeArmed() {
    return this.kind === 'audio' || this.kind === 'midi';
  }

  /** @returns {import('./live_devices.js').Rack} a new rack on this track */
  addRack(name) {
    return addRack(this, name);
  }

  setFrozen(frozen) {
    this.is_frozen = frozen;
    this.notify('is_frozen');
  }

  setMonitoring(state) {
    this.current_monitoring_state = state;
    this.notify('current_monitoring_state');
  }

  /**
   * "Same effect as pressing the Clip Launch button": the clip waits for its launch grid while the
   * song plays, and starts the song when it does not.
   */
  launch(clip) {
    const { transport } = this.live.song;
    // docs.cycling74.com/apiref/lom/clip, launch_mode: 1 Gate, 2 Toggle. A script's launch is a
    // press and a release at once, so that a gate closes again.
    if (clip.launch_mode === 1 || clip.launch_mode === 2 && clip === this.playingClip) {
      this.stopClip(clip);
      return;
    }
    this.cancelLaunch();
    if (!transport.playing) {
      this.playNow(clip);
      this.live.song.start();
      return;
    }
    this.triggeredClip = clip;
    this.notify('fired_slot_index');
    clip.slot.notify('is_triggered');
    transport.atNext(this.quantizationOf(clip), this.launchOf(clip));
  }

  launchOf(clip) {
    const launch = this.launchCount;
    const current = () => launch === this.launchCount;
    return {
      run: () => current() && this.playNow(clip),
      cancel: () => current() && this.cancelLaunch(),
    };
  }

  // Clip.launch_quantization is 0 for the song's, then 1 for none and so on, one more than
  // Song.clip_trigger_quantization counts: docs.cycling74.com/apiref/lom/clip and song.
  quantizationOf(clip) {
    const own = clip ? clip.launch_quantization : 0;
    return own === 0 ? this.live.song.clip_trigger_quantization : own - 1;
  }

  playNow(clip) {
    this.cancelLaunch();
    this.playingClip = clip;
    this.notify('playing_slot_index');
  }

  cancelLaunch() {
    this.launchCount += 1;
    if (!this.triggeredClip) return;
    const { slot } = this.triggeredClip;
    this.triggeredClip = null;
    this.notify('fired_slot_index');
    slot.notify('is_triggered');
  }

  stopClip(clip) {
    if (!clip || clip !== this.playingClip) return;
    this.cancelLaunch();
    const { transport, clip_trigger_quantization: quantization } = this.live.song;
    if (transport.playing) transport.atNext(quantization, this.launchOf(null));
    else this.playNow(null);
  }

  forgetClip(clip) {
    if (this.triggeredClip === clip) this.cancelLaunch();
    if (this.playingClip === clip) this.playNow(null);
  }

  placeOf(clip) {
    return clip ? this.slots.indexOf(clip.slot) : -1;
  }
}

/** Restricts members that the documentation marks "[not in return/master tracks]". */
function clipTracksOnly(property) {
  const guard = (access) => access && ((track, value) => {
    if (!track.hasSlots) refuse('not available on return and master tracks');
    return access(track, value);
  });
  return { ...property, get: guard(property.get), set: guard(property.set) };
}

function readArm(track) {
  // Third-party: reading it fails on a group track.
  if (!track.canBeArmed) refuse('arm is not available on this track');
  return track.arm;
}

function setArm(track, value) {
  const wanted = asBool(value);
  if (!track.canBeArmed) refuse('the track cannot be armed');
  track.arm = wanted;
  track.notify('arm');
}

function readMonitoring(track) {
  // A group has no Monitor switch; Live's behaviour is not documented.
  if (!track.canBeArmed) refuse('current_monitoring_state is not available on this track');
  return track.current_monitoring_state;
}

function setMonitoring(track, value) {
  readMonitoring(track);
  track.setMonitoring(asInt(value, 0, 2));
}

function setColorIndex(track, index) {
  track.color_index = index;
  track.notify('color', 'color_index');
}

function arrangementClips(track) {
  // Third-party: reading it fails on group tracks. The model has nothing else of the Arrangement.
  if (!track.canBeArmed) refuse('arrangement_clips is not available on this track');
  return track.arranged.map((slot) => slot.clip);
}

const setNamed = (name, coerce) => (track, value) => {
  track[name] = coerce(value);
  track.notify(name);
};

ClipSlot.LOM = {
  type: 'ClipSlot',
  children: {
    canonical_parent: CANONICAL_PARENT,
    // "id 0 if slot is empty": docs.cycling74.com/apiref/lom/clipslot.
    clip: child('Clip', (slot) => slot.clip),
  },
  properties: {
    has_clip: observed('bool', (slot) => slot.clip !== null),
    has_stop_button: observed('bool', (slot) => slot.has_stop_button, (slot, value) => {
      slot.has_stop_button = asBool(value);
      slot.notify('has_stop_button');
    }),
    is_group_slot: plain('bool', (slot) => slot.track.kind === 'group'),
    is_playing: plain('bool', (slot) => slot.clip !== null && slot.clip.isPlaying),
    is_recording: plain('bool', (slot) => slot.isRecording),
    is_triggered: observed('bool', (slot) => slot.clip !== null && slot.clip.isTriggered),
  },
  functions: {
    // Its result is not documented, so a script must look into the slot.
    create_audio_clip: (slot, filePath) => slot.createAudioClip(asText(filePath)),
    create_clip: (slot, lengthBeats) => slot.createMidiClip(lengthBeats),
    delete_clip: (slot) => slot.deleteClip(),
    duplicate_clip_to: (slot, target) => slot.duplicateTo(target),
    fire: (slot) => slot.fire(),
    stop: (slot) => slot.track.stopClip(slot.track.playingClip),
  },
};

// docs.cycling74.com/apiref/lom/track.
Track.LOM = {
  type: 'Track',
  children: {
    canonical_parent: CANONICAL_PARENT,
    clip_slots: children('ClipSlot', (track) => track.slots),
    devices: children('Device', (track) => track.devices),
    arrangement_clips: children('Clip', arrangementClips),
    group_track: child('Track', (track) => track.group_track),
  },
  properties: {
    name: observed('symbol', (track) => track.name, setNamed('name', asText)),
    color: observed('int', (track) => PALETTE[track.color_index],
      (track, value) => setColorIndex(track, nearestColorIndex(asInt(value, 0, 0xffffff)))),
    color_index: observed('int', (track) => track.color_index,
      (track, value) => setColorIndex(track, asInt(value, 0, PALETTE.length - 1))),
    // Groups and returns have audio inputs too, so this alone does not identify audio tracks.
    has_audio_input: plain('bool', (track) => track.kind !== 'midi'),
    has_audio_output: plain('bool', (track) => track.kind !== 'midi'),
    has_midi_input: plain('bool', (track) => track.kind === 'midi'),
    has_midi_output: plain('bool', (track) => track.kind === 'midi'),
    is_foldable: plain('bool', (track) => track.kind === 'group'),
    is_grouped: plain('bool', (track) => track.group_track !== null),
    is_visible: plain('bool', () => true),
    is_frozen: observed('bool', (track) => track.is_frozen),
    can_be_armed: plain('bool', (track) => track.canBeArmed),
    arm: clipTracksOnly(observed('bool', readArm, setArm)),
    mute: observed('bool', (track) => track.mute, setNamed('mute', asBool)),
    solo: observed('bool', (track) => track.solo, setNamed('solo', asBool)),
    current_monitoring_state: clipTracksOnly(observed('int', readMonitoring, setMonitoring)),
    playing_slot_index: clipTracksOnly(
      observed('int', (track) => track.placeOf(track.playingClip)),
    ),
    fired_slot_index: clipTracksOnly(
      observed('int', (track) => track.placeOf(track.triggeredClip)),
    ),
  },
  functions: {
    stop_all_clips: (track) => track.stopClip(track.playingClip),
    delete_device: (track, index) => {
      const device = track.devices[asInt(index)];
      if (!device) refuse(`there is no device ${index}`);
      track.live.deleteDevice(device);
    },
  },
};

module.exports = { ClipSlot, Track };
