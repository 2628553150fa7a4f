// Check: tries what the device relies on in this version of Live, and writes a report.

// The check that is running: its file, its results so far, and what it has made in the set.
var check_run = null;

// Runs all checks on a track of its own. The script has not been run in every version of Live.
function check() {
    if (!is_connected() || !can_record()) return;
    if (take || requests.length > 0) {
        show_status("A capture or a request is running: wait for it, then press Check.");
        return;
    }
    check_run = {
        path: link.takes + "/melody-bridge-check.wav",
        // Two seconds of silence at 120 bpm.
        beats: 4,
        index: 0, results: [], tracks: [], scene: 0
    };
    show_status("Checking \u2026");
    outlet(SOUND, "buffer", "setsize", 2000, BUFFER_CHANNELS);
    outlet(SOUND, "buffer", "clear");
    write_buffer(check_run.path, function () { later(check_next, 0); }, function (reason) {
        check_run = null;
        show_status(reason);
    });
}

// Runs each check in its own task: Live applies some changes only between tasks.
function check_next() {
    if (check_run.index >= CHECKS.length) {
        end_check();
        return;
    }
    var agrees = false;
    attempt(function () { agrees = CHECKS[check_run.index].agrees(check_run) === true; });
    check_run.results.push({ description: CHECKS[check_run.index].description, agrees: agrees });
    check_run.index += 1;
    var next = CHECKS[check_run.index];
    later(check_next, (next && next.after_ms) || FIT_MS);
}

function end_check() {
    var run = check_run;
    check_run = null;
    attempt(function () { clear_scratch(run); });
    var agreed = run.results.filter(function (result) { return result.agrees; }).length;
    var lines = run.results.map(function (result) {
        return (result.agrees ? "agrees   " : "DIFFERS  ") + result.description;
    });
    var path = run.path.replace(/\.wav$/, ".txt");
    var report = new File(path, "write");
    for (var i = 0; i < lines.length; i++) {
        post(lines[i] + "\n");
        if (report.isopen) report.writeline(lines[i]);
    }
    if (report.isopen) {
        // Cuts off the rest of an earlier, longer report.
        report.eof = report.position;
        report.close();
    }
    var all = agreed === lines.length;
    var advice = all ? "See " : "Please report ";
    show_status(agreed + " of " + lines.length + " agree. " + advice + path);
}

// Removes the tracks and the scene of the check.
function clear_scratch(run) {
    for (var i = 0; i < run.tracks.length; i++) {
        var at = child_ids(song, "tracks").indexOf(run.tracks[i]);
        if (at >= 0) song.call("delete_track", at);
    }
    var scene = child_ids(song, "scenes").indexOf(run.scene);
    if (scene >= 0 && is_empty_scene(scene)) song.call("delete_scene", scene);
}

// Another device, for example, may have put a clip there meanwhile.
function is_empty_scene(index) {
    var is_empty = true;
    each_child(song, "tracks", function (track) {
        var slot = new LiveAPI("id " + child_ids(track, "clip_slots")[index]);
        if (number(slot, "has_clip")) is_empty = false;
        return !is_empty;
    });
    return is_empty;
}

// Makes a track at the end, and notes it for removal.
function scratch_track(run, make) {
    var before = child_ids(song, "tracks");
    song.call(make, -1);
    var after = child_ids(song, "tracks").filter(function (id) { return before.indexOf(id) < 0; });
    run.tracks = run.tracks.concat(after);
    return after.length === 1 ? new LiveAPI("id " + after[0]) : null;
}

function scratch_slot(run, index) {
    return new LiveAPI("id " + child_ids(run.track, "clip_slots")[index]);
}

function scratch_clip(run) {
    return new LiveAPI("id " + child_id(scratch_slot(run, 0), "clip"));
}

var CHECKS = [
    { description: "the device finds its own track", agrees: function () {
        return own_track().type === "Track";
    } },
    { description: "the song reports bars and beats in four parts", agrees: function () {
        return String(song.call("get_current_beats_song_time")).split(".").length === 4;
    } },
    { description: "the selected clip can be read", agrees: function () {
        return !isNaN(Number(new LiveAPI("live_set view detail_clip").id));
    } },
    { description: "an audio track can be made and named", agrees: function (run) {
        run.track = scratch_track(run, "create_audio_track");
        run.track.set("name", "Melody Bridge check");
        return string(run.track, "name") === "Melody Bridge check"
            && unusable_reason(run.track) === "";
    } },
    { description: "a scene can be made at the end", agrees: function (run) {
        var before = child_ids(song, "scenes");
        song.call("create_scene", -1);
        var after = child_ids(song, "scenes");
        run.scene = after[after.length - 1];
        return before.indexOf(run.scene) < 0 && after.length === before.length + 1
            && child_ids(run.track, "clip_slots").length === after.length;
    } },
    { description: "a slot offers create_audio_clip", agrees: function (run) {
        return offers(scratch_slot(run, 0), "create_audio_clip");
    } },
    { description: "a relative path is refused", agrees: function (run) {
        var slot = scratch_slot(run, 0);
        attempt(function () { slot.call("create_audio_clip", "melody-bridge-check.wav"); });
        return number(slot, "has_clip") === 0;
    } },
    { description: "an absolute path makes a clip", agrees: function (run) {
        scratch_slot(run, 0).call("create_audio_clip", run.path);
        return number(scratch_slot(run, 0), "has_clip") === 1;
    } },
    { description: "the clip reports its file", agrees: function (run) {
        return plays_file(scratch_clip(run), run.path);
    } },
    { description: "the clip reports the length of its file", agrees: function (run) {
        return Math.abs(duration_seconds(scratch_clip(run)) - 2) < 0.001;
    } },
    { description: "an occupied slot is refused", agrees: function (run) {
        var before = child_id(scratch_slot(run, 0), "clip");
        attempt(function () { scratch_slot(run, 0).call("create_audio_clip", run.path); });
        return before !== 0 && child_id(scratch_slot(run, 0), "clip") === before;
    } },
    { description: "a clip can be named and coloured", agrees: function (run) {
        var clip = scratch_clip(run);
        clip.set("name", "check");
        clip.set("color", COLORS[0]);
        clip.set("warping", 1);
        return string(clip, "name") === "check" && number(clip, "color") > 0;
    } },
    { description: "warping is on in the next task", agrees: function (run) {
        return number(scratch_clip(run), "warping") === 1;
    } },
    // Live analyses a new file, and sets its markers at the end.
    { description: "warp markers are reported", after_ms: 4000, agrees: function (run) {
        var markers = warp_markers(scratch_clip(run));
        return markers.length >= 2 && isFinite(markers[0].beat_time)
            && isFinite(markers[0].sample_time);
    } },
    { description: "warp markers can be set to a straight line", agrees: function (run) {
        straighten(scratch_clip(run), run);
        return is_straight(scratch_clip(run), run);
    } },
    { description: "a warp marker can be added, moved and removed", agrees: function (run) {
        var clip = scratch_clip(run);
        add_marker(clip, 2, 1);
        clip.call("move_warp_marker", 2, 0.5);
        var moved = warp_markers(clip)[1];
        clip.call("remove_warp_marker", 2.5);
        return near(moved.beat_time, 2.5) && near(moved.sample_time, 1)
            && is_straight(clip, run);
    } },
    { description: "a loop of whole bars can be set", agrees: function (run) {
        set_loop(scratch_clip(run), run.beats);
        return is_exact(scratch_clip(run), run);
    } },
    { description: "a clip keeps its launch quantization", agrees: function (run) {
        scratch_clip(run).set("launch_quantization", 5);
        return number(scratch_clip(run), "launch_quantization") === 5;
    } },
    { description: "a clip reports its slot, and whether it plays", agrees: function (run) {
        var clip = scratch_clip(run);
        return child_id(clip, "canonical_parent") === id_of(scratch_slot(run, 0))
            && number(clip, "is_playing") === 0 && number(clip, "is_triggered") === 0;
    } },
    { description: "the song reports its launch quantization", agrees: function () {
        return number(song, "clip_trigger_quantization") >= 0;
    } },
    { description: "a clip can be deleted from its slot", agrees: function (run) {
        scratch_slot(run, 0).call("delete_clip");
        return number(scratch_slot(run, 0), "has_clip") === 0;
    } },
    { description: "a MIDI track is refused", agrees: function (run) {
        var track = scratch_track(run, "create_midi_track");
        var slot = new LiveAPI("id " + child_ids(track, "clip_slots")[0]);
        attempt(function () { slot.call("create_audio_clip", run.path); });
        run.midi_slot = slot;
        return unusable_reason(track) !== "" && number(slot, "has_clip") === 0;
    } },
    { description: "a MIDI clip takes notes, and reports them", agrees: function (run) {
        run.midi_slot.call("create_clip", 4);
        var clip = new LiveAPI("id " + child_id(run.midi_slot, "clip"));
        add_notes(clip, [{ pitch: 60, start_time: 1, duration: 0.5 }]);
        var notes = notes_of(clip, 0, 4);
        return notes.length === 1 && notes[0].pitch === 60 && near(notes[0].start, 1)
            && near(notes[0].length, 0.5);
    } }
];
