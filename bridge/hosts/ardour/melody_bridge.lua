ardour {
	["type"] = "EditorHook",
	name = "Melody Bridge",
	author = "Melody Bridge",
	license = "MIT",
	description = [[Sends tempo and position to Melody Bridge, and puts its clips into the cue slots of a track.]]
}

function signals ()
	return LuaSignal.Set ():add ({ [LuaSignal.LuaTimerDS] = true })
end

-- Ardour saves this function alone: everything that the script uses is inside.
function factory ()
	-- `melody-bridge ardour --install` sets these two values.
	local DAEMON_PORT = 7771
	local INBOX = ""

	local COLOUR = 0x4fb3bfff
	local TICKS = 1920

	local daemon = ARDOUR.LuaOSC.Address ("osc.udp://127.0.0.1:" .. DAEMON_PORT)
	local is_busy = false

	local function send_transport ()
		local sample = Session:transport_sample ()
		if Session:transport_rolling () then
			-- Ardour has counted the cycle that is under way.
			sample = math.max (0, sample - Session:get_block_size ())
		end
		local position = Temporal.timepos_t (sample)
		local map = Temporal.TempoMap.read ()
		local meter = map:meter_at (position)
		local bbt = map:bbt_at (position)
		-- Ardour counts beats of the meter, and its ticks are of a quarter note.
		local beat_in_bar = (bbt.beats - 1) * 4 / meter:note_value () + bbt.ticks / TICKS
		-- In a ramp, `tempo_at` has the tempo of its start.
		daemon:send ("/bridge/transport", "fdiiiid", map:quarters_per_minute_at (position),
			position:ticks () / TICKS, Session:transport_rolling () and 1 or 0,
			meter:divisions_per_bar (), meter:note_value (), bbt.bars - 1, beat_in_bar)
	end

	-- The tracks that have a column on the Cue page, in its order.
	local function columns ()
		local found = {}
		for route in Session:get_routes ():iter () do
			local info = route:presentation_info_ptr ()
			if info:flags () & ARDOUR.PresentationInfo.Flag.TriggerTrack ~= 0 then
				table.insert (found, { order = info:order (), name = route:name () })
			end
		end
		table.sort (found, function (one, other) return one.order < other.order end)
		return found
	end

	local function column_of (name)
		for index, column in ipairs (columns ()) do
			if column.name == name then
				return index - 1
			end
		end
		return -1
	end

	local function find_track (name)
		local route = Session:route_by_name (name)
		if not route:isnil () then
			return route:to_track ()
		end
	end

	-- A new track beside the selected one; without a selection the last.
	local function new_track (name)
		local order = ARDOUR.PresentationInfo.max_order
		for route in Editor:get_selection ().tracks:routelist ():iter () do
			order = route:presentation_info_ptr ():order () + 1
		end
		local made = Session:new_audio_track (2, 2, nil, 1, name, order,
			ARDOUR.TrackMode.Normal, false, true)
		for track in made:iter () do
			track:presentation_info_ptr ():set_color (COLOUR)
			return track:to_track ()
		end
		error ("Ardour makes no track")
	end

	local function import (track, path, mode, position)
		local files = C.StringVector ()
		files:push_back (path)
		Editor:do_import (files, Editing.ImportDistinctFiles, mode, ARDOUR.SrcQuality.SrcBest,
			ARDOUR.MidiTrackNameSource.SMFTrackNumber,
			ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
			position, ARDOUR.PluginInfo (), track, false)
	end

	-- The first bar line from the playhead on.
	local function next_bar_line ()
		local map = Temporal.TempoMap.read ()
		local bbt = map:bbt_at (Temporal.timepos_t (Session:transport_sample ()))
		local bar = bbt.bars
		if bbt.beats > 1 or bbt.ticks > 0 then
			bar = bar + 1
		end
		-- Newer versions of Ardour have a class of its own for this argument.
		local Bbt = Temporal.BBT_Argument or Temporal.BBT_TIME
		local line = map:quarters_at_bbt (Bbt (bar, 1, 0))
		return Temporal.timepos_t (map:sample_at_beats (line))
	end

	local function remove_regions (track, name)
		local playlist = track:playlist ()
		local found = {}
		for region in playlist:region_list ():iter () do
			-- Ardour numbers copies: name.1, name.2.
			local each = region:name ()
			if each == name or each:sub (1, #name + 1) == name .. "." then
				table.insert (found, region)
			end
		end
		if #found == 0 then
			error ("the track has no region of that name")
		end
		Session:begin_reversible_command ("Melody Bridge: remove " .. name)
		playlist:to_stateful ():clear_changes ()
		for _, region in ipairs (found) do
			playlist:remove_region (region)
		end
		Session:add_stateful_diff_command (playlist:to_statefuldestructible ())
		Session:commit_reversible_command (nil)
	end

	-- Each returns whether it has only made the track, and is to be asked again.
	local orders = {
		slot = function (name, path)
			local track = find_track (name)
			if not track then
				-- The columns beside it move: the companion has to see its slots empty first.
				new_track (name)
				return true
			end
			import (track, path, Editing.ImportAsTrigger, Temporal.timepos_t (0))
			return false
		end,
		region = function (name, path)
			import (find_track (name) or new_track (name), path,
				Editing.ImportAsTrack, next_bar_line ())
			return false
		end,
		remove = function (name, region)
			local track = find_track (name)
			if not track then
				error ("there is no track of that name")
			end
			remove_regions (track, region)
			return false
		end
	}

	local function read_inbox ()
		if is_busy then
			return
		end
		local file = io.open (INBOX)
		if not file then
			return
		end
		local line = file:read ("l") or ""
		file:close ()
		if not os.remove (INBOX) then
			-- It would be carried out ten times a second.
			error ("cannot remove " .. INBOX)
		end
		local kind, number, port, name, subject =
			line:match ("^(%a+)\t(%d+)\t(%d+)\t([^\t]*)\t([^\t]*)$")
		local order = kind and orders[kind]
		if not order then
			return
		end
		-- An import runs Ardour's event loop, and so this timer, until it is complete.
		is_busy = true
		local done, result = pcall (order, name, subject)
		is_busy = false
		ARDOUR.LuaOSC.Address ("osc.udp://127.0.0.1:" .. port):send ("/ardour/answer", "iisi",
			math.tointeger (number), column_of (name), done and "" or tostring (result),
			done and result and 1 or 0)
	end

	local last_message

	return function ()
		if not Session then
			return
		end
		-- Ardour drops a hook for good at its first error.
		for _, step in ipairs { send_transport, read_inbox } do
			local done, message = pcall (step)
			if not done and message ~= last_message then
				last_message = message
				print ("Melody Bridge: " .. tostring (message))
			end
		end
	end
end
