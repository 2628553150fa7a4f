// Placing a clip: into a free slot, at its exact length, with its name, colour and loop.

var FIT_TRIES = 20;
var FIT_MS = 50;
// A clip that is exact is checked again for ten seconds.
var WATCH_ROUNDS = 40;
var WATCH_MS = 250;

// Clips that the daemon has made, but that no slot could take yet.
var unplaced = [];

// The clip's name without its date: a slot shows about a dozen letters.
function clip_name(name) {
    return name.replace(/^\d{4}-\d{2}-\d{2} /, "");
}

// Places a clip step by step, each step in its own task: Live applies some changes only after the
// script has returned.
function place_clip(clip) {
    if (!takes_clips()) {
        show_status("Devices can place clips from Live 12.0.5 on. Press Reveal, drag " + clip.path);
        return;
    }
    var track = target_track();
    if (!track || !put_clip(clip, track)) unplaced.push(clip);
}

// Puts a clip into the next free slot of a track; returns whether Live takes it. If not, the status
// line says why. The clip is then prepared in tasks that end with its `ready` or its `failed`.
function put_clip(clip, track) {
    var slot = free_slot(track);
    if (!slot) {
        show_status("No free slot on " + quoted(track) + ": choose another track.");
        return false;
    }
    attempt(function () { slot.call("create_audio_clip", clip.path); });
    if (!number(slot, "has_clip")) {
        show_status("Live refused the clip on " + quoted(track) + ": press Reveal for its file.");
        return false;
    }
    clip.is_placed = true;
    clip.slot_id = id_of(slot);
    clip.live_id = child_id(slot, "clip");
    var live_clip = new LiveAPI("id " + clip.live_id);
    later(function () { prepare_clip(live_clip, clip); }, 0);
    return true;
}

function prepare_clip(live_clip, clip) {
    if (!exists(live_clip)) return;
    live_clip.set("name", clip.name);
    live_clip.set("color", clip.color);
    live_clip.set("warping", 1);
    show_variations();
    later(function () { fit_clip(live_clip, clip, 0); }, 0);
}

// Makes the clip exactly N bars long by Live's own count: sets it, reads it back, and repeats until
// the two agree.
function fit_clip(live_clip, clip, tries) {
    if (!exists(live_clip)) return;
    // Sets it at least once, so that the end has a marker: without one, a different tempo near the
    // end would not be noticed.
    if (tries > 0 && number(live_clip, "warping") && is_exact(live_clip, clip)) {
        finish_clip(live_clip, clip);
        return;
    }
    if (tries >= FIT_TRIES) {
        var bars = count_of(clip.bars, "bar");
        show_status(clip.name + " is not " + bars + " long in Live: check its warp markers.");
        clip.failed();
        return;
    }
    if (number(live_clip, "warping")) {
        attempt(function () { straighten(live_clip, clip); });
        attempt(function () { set_loop(live_clip, clip.beats); });
    } else {
        attempt(function () { live_clip.set("warping", 1); });
    }
    later(function () { fit_clip(live_clip, clip, tries + 1); }, tries === 0 ? 0 : FIT_MS);
}

function finish_clip(live_clip, clip) {
    if (!clip.is_finished) {
        clip.is_finished = true;
        live_clip.set("launch_quantization", controls.quantization);
        clip.ready(live_clip);
    }
    watch_clip(live_clip, clip);
}

// Live may analyse a new file for seconds, and then set its own warp markers.
function watch_clip(live_clip, clip) {
    if (clip.watch_rounds === WATCH_ROUNDS) return;
    later(function () {
        clip.watch_rounds += 1;
        if (!exists(live_clip)) return;
        var is_unchanged = is_straight(live_clip, clip) && is_end_marked(live_clip, clip);
        if (number(live_clip, "warping") && !is_unchanged) fit_clip(live_clip, clip, 0);
        else watch_clip(live_clip, clip);
    }, WATCH_MS);
}

function is_exact(live_clip, clip) {
    return number(live_clip, "looping") === 1
        && near(number(live_clip, "loop_start"), 0)
        && near(number(live_clip, "loop_end"), clip.beats)
        && near(number(live_clip, "length"), clip.beats)
        && near(number(live_clip, "start_marker"), 0)
        && near(number(live_clip, "end_marker"), clip.beats)
        && is_straight(live_clip, clip);
}

// Whether Live can make clips from files. One slot answers for all.
function takes_clips() {
    var is_offered = false;
    each_child(song, "tracks", function (track) {
        var slots = child_ids(track, "clip_slots");
        if (slots.length === 0) return false;
        is_offered = offers(new LiveAPI("id " + slots[0]), "create_audio_clip");
        return true;
    });
    return is_offered;
}

// The first free slot of a track, in a new scene if all are taken; null: Live makes none.
function free_slot(track) {
    var slot = first_free_slot(track);
    if (!slot) {
        attempt(function () { song.call("create_scene", -1); });
        slot = first_free_slot(track);
    }
    return slot;
}

function first_free_slot(track) {
    var free = null;
    each_child(track, "clip_slots", function (slot) {
        if (!number(slot, "has_clip")) free = slot;
        return free !== null;
    });
    return free;
}
