'use strict';

/**
 * Random sequences of what a musician, Live and the daemon do to a loop. After each step the
 * musician's clips are untouched, the song plays only if the musician has started it, and no clips
 * pile up; at the end a new clip plays. A failure names the seed that repeats it.
 */

const assert = require('node:assert/strict');
const test = require('node:test');

const { LoopDaemon } = require('./loop_daemon.js');
const { LIVES } = require('./script_test_kit.js');
const { SAMPLE_RATE, stageOf } = require('./stage.js');

const SEEDS = 24;
const STEPS = 40;
const LOOK_MS = 50;
const LOOP_FILE = / loop /;

/** Mulberry32, public domain: numbers of 0 to 1 from a seed. */
function randoms(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A set in which anything may happen. */
class Chaos {
  constructor(stage, device, daemon, random) {
    Object.assign(this, { stage, device, daemon, random });
    this.song = stage.song;
    this.mine = stage.wav('mine.wav', SAMPLE_RATE);
    this.wanted = { plays: false, mine: 0, left: 0 };
    // Whether only the device has changed what its track plays, since its clip began.
    this.isUndisturbed = false;
    this.elsewhere = this.song.addTrack({ name: 'Mine' });
    this.asked = [];
  }

  pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  get track() {
    return this.song.tracks.find(({ name }) => name === 'Melody Bridge');
  }

  slots() {
    return this.song.tracks.flatMap((track) => track.slots);
  }

  loopClips() {
    return this.slots().map(({ clip }) => clip)
      .filter((clip) => clip && LOOP_FILE.test(clip.file_path));
  }

  /** @returns {Record<string, () => void>} what can happen */
  get steps() {
    const { stage, device, daemon, song } = this;
    const disturb = (action) => () => {
      this.isUndisturbed = false;
      action();
    };
    return {
      offer: () => daemon.newest?.on && this.asked.push(daemon.offer({ bars: this.pick([1, 2]) })),
      again: () => {
        if (!daemon.newest?.on || this.asked.length === 0) return;
        const path = this.pick(this.asked);
        const name = path.replace(/^.*\//, '').replace('.wav', '');
        const bars = /1bars/.test(name) ? 1 : 2;
        daemon.ask(daemon.newest, { name, path, bars, meter: [4, 4] });
      },
      loop: disturb(() => {
        this.wanted.left += 1;
        device.press('Loop');
      }),
      freeze: () => device.press('Freeze'),
      play: disturb(() => {
        this.wanted.plays = true;
        song.play();
      }),
      halt: disturb(() => {
        this.wanted.plays = false;
        song.stop();
      }),
      seek: disturb(() => song.seek(Math.floor(this.random() * 64))),
      tempo: () => song.setTempo(60 + Math.floor(this.random() * 120)),
      quantization: disturb(() => {
        song.clip_trigger_quantization = this.pick([0, 3, 4, 7]);
      }),
      stopTrack: disturb(() => this.track?.stopClip(this.track.playingClip)),
      deleteClip: disturb(() => {
        const clips = this.loopClips();
        if (clips.length) song.deleteClip(this.pick(clips));
      }),
      moveClip: disturb(() => {
        const clips = this.loopClips();
        const free = this.elsewhere.slots.findIndex(({ clip }) => !clip);
        if (!clips.length || free < 0) return;
        song.moveClip(this.pick(clips), this.elsewhere, free);
        this.wanted.left += 1;
      }),
      fill: () => {
        const free = (this.track?.slots ?? []).findIndex(({ clip }) => !clip);
        if (free < 0 || this.wanted.mine > 12) return;
        song.addAudioClip(this.track, free, { path: this.mine });
        this.wanted.mine += 1;
      },
      launchMine: disturb(() => {
        const slot = this.track?.slots.find(({ clip }) => clip?.file_path === this.mine);
        if (!slot) return;
        this.track.launch(slot.clip);
        // A launch by the musician starts the song.
        this.wanted.plays = true;
      }),
      freezeTrack: disturb(() => this.track?.setFrozen(!this.track.is_frozen)),
      restart: () => daemon.restart(),
      lose: () => {
        stage.loses = Array.from({ length: 4 }, () => this.random() < 0.5);
      },
      panic: disturb(() => {
        if (!daemon.newest) return;
        daemon.stop(daemon.newest, 1);
        daemon.publish(daemon.newest);
      }),
      wait: () => {},
    };
  }

  advance(ms, happened) {
    for (let passed = 0; passed < ms; passed += LOOK_MS) {
      this.stage.advance(LOOK_MS);
      this.check(happened);
    }
  }

  check(happened) {
    const record = happened.join(' ');
    assert.equal(this.song.isPlaying, this.wanted.plays, record);
    const mine = this.slots().filter(({ clip }) => clip?.file_path === this.mine);
    assert.equal(mine.length, this.wanted.mine, record);
    // Two at a swap, and what the musician has moved, or was left by a loop that is over.
    assert.ok(this.loopClips().length <= 2 + this.wanted.left, record);
    const playing = this.track?.playingClip;
    const isLoops = Boolean(playing) && LOOP_FILE.test(playing.file_path);
    assert.ok(isLoops || !this.isUndisturbed, `a gap: ${record}`);
  }

  /** Whether the loop plays, and nothing has been done to it: from now on there must be no gap. */
  look() {
    const playing = this.track?.playingClip;
    const name = playing?.file_path.replace(/^.*\//, '').replace('.wav', '');
    const isOn = this.daemon.newest?.on && this.daemon.newest.clip === name;
    const isWaiting = this.song.transport.launches.length > 0;
    this.isUndisturbed = Boolean(isOn) && this.song.isPlaying && !isWaiting;
  }

  /** All is well again, and the musician starts a loop: its next clip plays. */
  recover() {
    const { stage, device, daemon, song } = this;
    stage.loses = [];
    if (this.track?.is_frozen) this.track.setFrozen(false);
    song.clip_trigger_quantization = 4;
    song.setTempo(120);
    this.wanted.plays = true;
    song.play();
    this.isUndisturbed = false;
    stage.advance(12000);
    if (device.host.text('loop_state') !== 'no loop') {
      device.press('Loop');
      stage.advance(12000);
    }
    assert.equal(device.host.text('loop_state'), 'no loop');
    device.press('Loop');
    stage.advance(1000);
    const file = daemon.offer();
    stage.advance(6000);
    assert.equal(this.track.playingClip?.file_path, file);
    assert.equal(this.daemon.newest.clip, file.replace(/^.*\//, '').replace('.wav', ''));
    assert.deepEqual(this.daemon.newest.refused, []);
  }
}

for (let seed = 1; seed <= SEEDS; seed += 1) {
  test(`whatever happens to a loop, seed ${seed}`, async (t) => {
    const random = randoms(seed);
    const stage = stageOf(t, LIVES[seed % LIVES.length]);
    const daemon = new LoopDaemon(stage);
    const device = (await stage.addDevice()).connect();
    const chaos = new Chaos(stage, device, daemon, random);
    const happened = [];
    for (let step = 0; step < STEPS; step += 1) {
      // Often what a musician does most.
      const name = chaos.pick([...Object.keys(chaos.steps), 'offer', 'offer', 'play', 'wait']);
      happened.push(name);
      chaos.steps[name]();
      chaos.advance(chaos.pick([50, 400, 1500, 4000]), happened);
      chaos.look();
    }
    try {
      chaos.recover();
    } catch (error) {
      error.message = `${error.message}\n${happened.join(' ')}`;
      throw error;
    }
  });
}
