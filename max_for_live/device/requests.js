// Requests to the daemon, from Generate to the last clip.

// How often the device asks again for clips whose messages were lost.
var REPEATS = 3;

// Requests that are under way, oldest first: the id, the message, the melody, and when the daemon
// last mentioned it. The daemon makes them one after the other.
var requests = [];

function hum_to_clip() {
    if (can_generate() && last_bars()) request_clips();
}

function generate() {
    if (can_generate()) request_clips();
}

// Whether a clip can be made and placed: refuses now rather than when the clip is done.
function can_generate() {
    if (!is_connected()) return false;
    if (take) show_status("Capture is still recording: wait for its last bar, or press Stop.");
    else if (check_run) show_status("Check is running: wait until it is done.");
    else return can_place();
    return false;
}

function request_clips() {
    if (!controls.seed_lock) draw_seed();
    var id = next_id();
    var request = {
        id: id, message: generate_message(id), melody: melody, last_heard_ms: 0,
        is_cancelled: false, repeats: 0
    };
    requests.push(request);
    show_status("");
    send_request(request);
    if (requests.length === 1) show_progress(0, -1);
}

function generate_message(id) {
    return ["/bridge/generate", id].concat(sound_settings(), [
        "tempo_bpm", number(song, "tempo"),
        "numerator", number(song, "signature_numerator"),
        "denominator", number(song, "signature_denominator"),
        "seed", controls.seed, "melody", melody ? melody.id : "none"
    ]);
}

// The device's settings of a clip's sound, as options of a message.
function sound_settings() {
    var settings = [];
    var preset = preset_named(texts.preset);
    if (texts.preset) settings.push("preset", texts.preset);
    var is_preset_prompt = preset && preset.prompt === texts.prompt;
    if (texts.prompt && !is_preset_prompt) settings.push("prompt", texts.prompt);
    settings.push(
        "bars", controls.bars, "guidance_scale", controls.guidance,
        "temperature", controls.temperature, "variations", controls.variations
    );
    var key = song_key();
    return key ? settings.concat(["key", key]) : settings;
}

// Sends the messages that make its melody too: a restarted daemon has lost them. A daemon that has
// them already does the work only once.
function send_request(request) {
    if (request.melody) request.melody.messages.forEach(send);
    request.last_heard_ms = now_ms();
    send(request.message);
}

// The daemon answers a repeated request with its last state and its clips.
function repeat_request(request) {
    if (request.is_cancelled) send(["/bridge/cancel", request.id]);
    else send_request(request);
}

function cancel() {
    if (take && !take.is_written) discard_take("Capture was cancelled.");
    for (var i = 0; i < requests.length; i++) {
        requests[i].is_cancelled = true;
        send(["/bridge/cancel", requests[i].id]);
    }
    // Without a daemon no answer will come.
    if (!link.connected) requests.slice().forEach(end_request);
}

// The request with that id, which the daemon mentions now; null: it is over, or another client's.
function find_request(id) {
    for (var i = 0; i < requests.length; i++) {
        if (requests[i].id === id) {
            requests[i].last_heard_ms = now_ms();
            return requests[i];
        }
    }
    return null;
}

function on_progress(id, fraction, eta_seconds) {
    if (find_request(id)) show_progress(fraction, eta_seconds);
}

function on_clip(
    id, index, count, path, bars, tempo_bpm, seed, score, numerator, denominator, sample_rate, name
) {
    if (!find_request(id)) return;
    if (variations.length === 0 || variations[0].id !== id) variations = [];
    // After a repeated request the daemon sends its clips again.
    if (variation(index)) return;
    var clip = {
        id: id, index: index, path: String(path), name: clip_name(String(name)), bars: bars,
        beats: bars * 4 * numerator / denominator, color: COLORS[index % COLORS.length],
        // Launches the best clip of a request only; the others wait in their slots.
        ready: function (live_clip) {
            if (controls.auto_launch && this.index === 0) live_clip.call("fire");
        },
        failed: function () {},
        live_id: 0, slot_id: 0, is_placed: false, is_finished: false, watch_rounds: 0
    };
    variations.push(clip);
    newest_path = clip.path;
    place_clip(clip);
}

function on_done(id, count) {
    if (listing && id === listing.id) end_listing(count);
    on_notes_done(id, count);
    var request = find_request(id);
    if (!request) return;
    // The message of a clip may have been lost.
    if (count_clips(id) < count && request.repeats < REPEATS) {
        request.repeats += 1;
        repeat_request(request);
    } else {
        end_request(request);
    }
}

function count_clips(id) {
    return variations.filter(function (clip) { return clip.id === id; }).length;
}

function on_error(id, code, message) {
    if (!is_own(id)) return;
    if (id === loop_id) {
        if (loop) on_loop_error(code, message);
        return;
    }
    var request = find_request(id);
    var failed_melody = request ? request.melody : melody;
    end_request(request);
    if (listing && id === listing.id) listing = null;
    if (wanted_notes && id === wanted_notes.melody.id) wanted_notes = null;
    if (code === "cancelled") show_status("Cancelled.");
    else show_status(String(message) + error_hint(code, failed_melody));
    var is_lost = code === "unknown-melody" || !request && failed_melody && id === failed_melody.id;
    if (is_lost && failed_melody === melody) no_melody();
}

function end_request(request) {
    if (!request) return;
    requests.splice(requests.indexOf(request), 1);
    show_progress(0, -1);
}

// Advice that the device adds to the daemon's message.
function error_hint(code, failed_melody) {
    if (code === "unknown-melody") return " The daemon was restarted: play the melody again.";
    if (code === "silent-melody" && failed_melody && failed_melody.is_take) {
        return " Is the track armed, or its Monitor set to In?";
    }
    return "";
}

function draw_seed() {
    controls.seed = Math.floor(Math.random() * (MAX_SEED + 1));
    outlet(SHOW, "seed", "set", controls.seed);
}

function dice() {
    draw_seed();
    outlet(SHOW, "seed_lock", 1);
}
