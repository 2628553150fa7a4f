// The live loop that Live plays: what is being played comes back as clips, each in the last one's
// place.
//
// The daemon's /bridge/loop says what is to happen, again and again; the script makes Live's slots
// agree with the newest one, and reports what Live plays. So a lost message only delays.

var LOOP_MS = 100;
var LOOP_REPORT_MS = 3000;
var LOOP_SETTINGS_MS = 1000;
// A clip's launch mode in which it plays until something stops it.
var TRIGGER = 0;
// So many looks in a row must agree before a clip counts as stopped: Live starts one clip and stops
// the other within a few milliseconds of each other.
var LOOP_LOOKS = 3;
// Beats of the launch quantizations below one bar, and bars of the others, in the song's order.
var GRIDS_BARS = [8, 4, 2, 1];
var GRIDS_BEATS = [2, 4 / 3, 1, 2 / 3, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8];

// The loop; null: there is none. `playing` and `coming` are its clips: the one that Live plays or
// has played last, and the one that waits; null: none.
var loop = null;
// The id of the newest loop, also when it is over.
var loop_id = "";
// One object for all looks, because Max never frees what such an object has used.
var loop_probe = null;

function press_loop() {
    if (!loop) start_loop();
    else if (!link.connected) end_loop("");
    else if (loop.state.sounding === "stopping") send(["/bridge/loop/stop", loop.id, 1]);
    else send(["/bridge/loop/stop", loop.id]);
}

function press_freeze() {
    if (!loop) {
        show_status("There is no loop to freeze: press Loop first.");
        return;
    }
    loop.is_frozen = !loop.is_frozen;
    send_freeze();
    show_loop();
}

function start_loop() {
    if (!is_connected()) return;
    if (check_run) {
        show_status("Check is running: wait until it is done.");
        return;
    }
    if (!takes_clips()) {
        show_status("Devices can place clips from Live 12.0.5 on: a loop needs that.");
        return;
    }
    if (!can_place()) return;
    loop_id = next_id();
    loop = {
        id: loop_id, state: { sounding: "off", coming: "none", bar: 0 }, is_frozen: false,
        is_known: false,
        playing: null, coming: null, refused: "", track_id: 0, target: "",
        settings: "", settings_ms: 0, report: "", report_ms: 0
    };
    show_status("");
    send_loop_start();
    show_loop();
    later(watch_loop, LOOP_MS);
}

function send_loop_start() {
    var settings = loop_settings();
    loop.settings = settings.join("\n");
    loop.settings_ms = now_ms();
    loop.report = "";
    loop.is_known = false;
    send(["/bridge/loop/start", loop.id, "deliver", "live"].concat(settings));
}

// Each clip of the loop has a seed of its own, unless the seed is locked.
function loop_settings() {
    return sound_settings().concat(["seed", controls.seed_lock ? controls.seed : -1]);
}

function send_freeze() {
    send(["/bridge/loop/freeze", loop.id, loop.is_frozen ? 1 : 0]);
}

function on_loop(
    id, sounding, coming, layer, bar, clip, is_on, deliver, next, path, bars, numerator, denominator
) {
    if (!loop || id !== loop.id) return;
    loop.is_known = true;
    loop.state = { sounding: sounding, coming: coming, bar: bar };
    if (!is_on) {
        drop_coming();
        if (sounding === "stopping") stop_playing();
        else end_loop("");
    } else {
        expect_clip(next && {
            index: 0, path: String(path), loop_name: String(next), name: clip_name(String(next)),
            bars: bars, beats: bars * 4 * numerator / denominator, color: LOOP_COLOR,
            ready: function (live_clip) {
                // In the other launch modes, a script's launch would not keep playing.
                live_clip.set("launch_mode", TRIGGER);
                this.is_ready = true;
            },
            failed: function () { if (loop && loop.coming === this) refuse_coming(); },
            live_id: 0, slot_id: 0, is_placed: false, is_finished: false, watch_rounds: 0,
            is_ready: false, at_beat: -1, fired_beat: 0, looks: 0
        });
    }
    show_loop();
}

// Makes that clip the one to come; none: nothing is to come.
function expect_clip(clip) {
    var name = clip ? clip.loop_name : "";
    if (loop.coming && loop.coming.loop_name === name) return;
    drop_coming();
    if (loop.refused !== name) loop.refused = "";
    if (!clip || loop.refused || loop.playing && loop.playing.loop_name === name) return;
    loop.coming = clip;
    newest_path = clip.path;
    var track = loop_track();
    if (!track || !put_clip(clip, track)) refuse_coming();
}

// The track of the clips before, also if it has another name by now; the chosen one, if another
// has been chosen since.
function loop_track() {
    if (loop.track_id !== 0 && loop.target === texts.target) {
        var same = new LiveAPI("id " + loop.track_id);
        if (exists(same) && !unusable_reason(same)) return same;
    }
    var track = target_track();
    loop.track_id = id_of(track);
    loop.target = texts.target;
    return track;
}

// The daemon does not offer that clip again; the next round makes another.
function refuse_coming() {
    loop.refused = loop.coming.loop_name;
    drop_coming();
}

function drop_coming() {
    if (!loop.coming) return;
    var clip = loop.coming;
    loop.coming = null;
    delete_clip(clip);
}

// Looks at the loop's clips, starts the one that is ready, and reports. In a task: Live allows no
// change of the set while it notifies observers.
function watch_loop() {
    if (!loop) return;
    var song_plays = number(song, "is_playing") === 1;
    if (loop.coming) look_at_coming(loop.coming, song_plays);
    var is_heard = loop.playing !== null && look_at_playing(loop.playing, song_plays);
    if (!loop) return;
    report_loop(is_heard ? loop.playing.loop_name : "");
    send_changed_settings();
    show_loop();
    later(watch_loop, LOOP_MS);
}

function look_at_coming(clip, song_plays) {
    if (!clip.is_placed) return;
    var live_clip = probe(clip.live_id);
    if (!exists(live_clip)) {
        // Deleted, or undone.
        refuse_coming();
    } else if (number(live_clip, "is_playing")) {
        var before = loop.playing;
        loop.playing = clip;
        loop.coming = null;
        clip.looks = 0;
        if (before) delete_clip(before);
    } else if (clip.is_ready && song_plays) {
        launch_coming(live_clip, clip);
    } else {
        // A launch ends when the song stops.
        clip.at_beat = -1;
    }
}

function launch_coming(live_clip, clip) {
    if (clip.at_beat < 0) {
        expect_launch(live_clip, clip);
        clip.looks = 0;
        live_clip.call("fire");
        return;
    }
    clip.looks = number(live_clip, "is_triggered") ? 0 : clip.looks + 1;
    // Something else was launched, or stopped, on that track.
    if (clip.looks >= LOOP_LOOKS) refuse_coming();
    else if (has_jumped(clip)) expect_launch(live_clip, clip);
}

function expect_launch(live_clip, clip) {
    clip.at_beat = launch_beat(live_clip);
    clip.fired_beat = number(song, "current_song_time");
}

// Whether the song has left the beats between the launch and its line.
function has_jumped(clip) {
    var beat = number(song, "current_song_time");
    return beat < clip.fired_beat || beat > clip.at_beat + 1;
}

// Whether the clip sounds. A clip that the musician stops or deletes ends the loop.
function look_at_playing(clip, song_plays) {
    var live_clip = probe(clip.live_id);
    if (!exists(live_clip)) {
        end_loop("Its clip was deleted: the loop is off.");
        return false;
    }
    var is_playing = number(live_clip, "is_playing") === 1;
    clip.looks = is_playing || !song_plays ? 0 : clip.looks + 1;
    if (clip.looks >= LOOP_LOOKS && loop.state.sounding !== "stopping") {
        end_loop("Its clip was stopped in Live: the loop is off.");
        return false;
    }
    return is_playing || clip.looks > 0 && clip.looks < LOOP_LOOKS;
}

// The beat of the song at which Live starts a clip that is launched now.
function launch_beat(live_clip) {
    var own = number(live_clip, "launch_quantization");
    // Clips count from 1 what songs count from 0; 0 of a clip is the song's.
    var quantization = own === 0 ? number(song, "clip_trigger_quantization") : own - 1;
    var position = song_position();
    if (quantization === 0) return position.beat;
    var bars = GRIDS_BARS[quantization - 1];
    var grid = bars ? bars * position.beats_per_bar
        : GRIDS_BEATS[quantization - 1 - GRIDS_BARS.length];
    return Math.ceil(position.beat / grid - EXACT_BEATS) * grid;
}

// Reports what Live plays: on each change, and again every few seconds.
function report_loop(playing) {
    var message = ["/bridge/loop/playing", loop.id, playing];
    if (loop.refused) message.push(loop.refused, -1);
    else if (loop.coming && loop.coming.at_beat >= 0) {
        message.push(loop.coming.loop_name, loop.coming.at_beat);
    }
    var report = message.join("\n");
    if (report === loop.report && now_ms() - loop.report_ms < LOOP_REPORT_MS) return;
    loop.report = report;
    loop.report_ms = now_ms();
    send(message);
}

// The device's settings count from the next clip on.
function send_changed_settings() {
    if (now_ms() - loop.settings_ms < LOOP_SETTINGS_MS) return;
    loop.settings_ms = now_ms();
    var settings = loop_settings();
    if (settings.join("\n") === loop.settings) return;
    loop.settings = settings.join("\n");
    send(["/bridge/loop/set", loop.id].concat(settings));
}

function on_loop_error(code, message) {
    if (code === "unknown-id" && loop.state.sounding !== "stopping") {
        // The daemon was restarted; what Live plays goes on.
        send_loop_start();
        if (loop.is_frozen) {
            report_loop(loop.playing ? loop.playing.loop_name : "");
            send_freeze();
        }
    } else if (loop.is_known && code !== "unknown-id") {
        // A setting was refused; the loop goes on as it is.
        show_status(String(message));
    } else {
        forget_loop(message);
    }
}

function on_remark(id, text) {
    if (loop && id === loop.id) show_status(String(text));
}

function end_loop(text) {
    send(["/bridge/loop/clear", loop.id]);
    forget_loop(text);
}

// A clip that still sounds is deleted, because Live cannot stop it at once; one that does not stays
// in its slot.
function forget_loop(text) {
    drop_coming();
    var clip = loop.playing;
    if (clip && number(song, "is_playing") === 1) {
        var live_clip = probe(clip.live_id);
        if (exists(live_clip) && number(live_clip, "is_playing")) delete_clip(clip);
    } else if (clip) {
        // Else it would go on with the song.
        stop_playing();
    }
    loop = null;
    if (text) show_status(String(text));
    show_loop();
}

function stop_playing() {
    var live_clip = loop.playing ? probe(loop.playing.live_id) : null;
    if (exists(live_clip)) attempt(function () { live_clip.call("stop"); });
}

// Deletes a clip of the loop from its slot; one that the musician has moved is the musician's.
function delete_clip(clip) {
    if (!clip.is_placed) return;
    var live_clip = probe(clip.live_id);
    if (!exists(live_clip) || child_id(live_clip, "canonical_parent") !== clip.slot_id) return;
    var slot = probe(clip.slot_id);
    attempt(function () { slot.call("delete_clip"); });
    if (number(slot, "has_clip")) show_status("Live cannot delete " + clip.name + " from its slot.");
}

// Whether a clip waits for the song to play. The device does not start the song.
function is_loop_waiting() {
    return loop.coming !== null && loop.coming.is_ready && number(song, "is_playing") === 0;
}

function probe(id) {
    if (!loop_probe) loop_probe = new LiveAPI();
    loop_probe.id = id;
    return loop_probe;
}
