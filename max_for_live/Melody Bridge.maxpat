{
	"patcher": {
		"fileversion": 1,
		"appversion": {
			"major": 8,
			"minor": 6,
			"revision": 0,
			"architecture": "x64",
			"modernui": 1
		},
		"classnamespace": "box",
		"rect": [
			60.0,
			100.0,
			2000.0,
			720.0
		],
		"openrect": [
			0.0,
			0.0,
			570.0,
			169.0
		],
		"openinpresentation": 1,
		"default_fontsize": 10.0,
		"default_fontface": 0,
		"default_fontname": "Arial Bold",
		"gridsize": [
			8.0,
			8.0
		],
		"boxanimatetime": 500,
		"devicewidth": 570.0,
		"description": "Hum a melody, get a loop that follows it in the next clip slot.",
		"boxes": [
			{
				"box": {
					"id": "obj-1",
					"maxclass": "panel",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						20.0,
						20.0,
						8.0,
						8.0
					],
					"presentation": 1,
					"presentation_rect": [
						8.0,
						9.0,
						8.0,
						8.0
					],
					"varname": "light",
					"rounded": 8
				}
			},
			{
				"box": {
					"id": "obj-2",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						20.0,
						36.0,
						130.0,
						18.0
					],
					"presentation": 1,
					"presentation_rect": [
						18.0,
						4.0,
						130.0,
						18.0
					],
					"varname": "state",
					"textjustification": 0,
					"text": "not connected"
				}
			},
			{
				"box": {
					"id": "obj-3",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						20.0,
						62.0,
						40.0,
						16.0
					],
					"presentation": 1,
					"presentation_rect": [
						6.0,
						22.0,
						40.0,
						16.0
					],
					"varname": "track_label",
					"textjustification": 0,
					"text": "Track"
				}
			},
			{
				"box": {
					"id": "obj-4",
					"maxclass": "live.meter~",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						20.0,
						86.0,
						96.0,
						8.0
					],
					"presentation": 1,
					"presentation_rect": [
						50.0,
						26.0,
						96.0,
						8.0
					],
					"varname": "track_meter",
					"orientation": 1,
					"outlettype": [
						"float",
						"int"
					]
				}
			},
			{
				"box": {
					"id": "obj-5",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						20.0,
						102.0,
						44.0,
						16.0
					],
					"presentation": 1,
					"presentation_rect": [
						6.0,
						38.0,
						44.0,
						16.0
					],
					"varname": "daemon_label",
					"textjustification": 0,
					"text": "Daemon"
				}
			},
			{
				"box": {
					"id": "obj-6",
					"maxclass": "live.meter~",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						20.0,
						126.0,
						96.0,
						8.0
					],
					"presentation": 1,
					"presentation_rect": [
						50.0,
						42.0,
						96.0,
						8.0
					],
					"varname": "daemon_meter",
					"orientation": 1,
					"outlettype": [
						"float",
						"int"
					]
				}
			},
			{
				"box": {
					"id": "obj-7",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						20.0,
						142.0,
						68.0,
						17.0
					],
					"presentation": 1,
					"presentation_rect": [
						6.0,
						58.0,
						68.0,
						17.0
					],
					"varname": "capture",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "Capture",
					"texton": "Capture",
					"annotation": "Records this track from the next bar line on, for as many bars as Bars says. While Live is stopped, from the first note on. Press again to stop.",
					"annotation_name": "Capture",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Capture",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Records this track from the next bar line on, for as many bars as Bars says. While Live is stopped, from the first note on. Press again to stop.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Capture",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Capture",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-8",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						20.0,
						167.0,
						68.0,
						17.0
					],
					"presentation": 1,
					"presentation_rect": [
						78.0,
						58.0,
						68.0,
						17.0
					],
					"varname": "last_bars",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "Last bars",
					"texton": "Last bars",
					"annotation": "Takes the bars that you have just played: the daemon always listens to its own input.",
					"annotation_name": "Last Bars",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Last Bars",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Takes the bars that you have just played: the daemon always listens to its own input.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Last Bars",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Last Bars",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-9",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						20.0,
						192.0,
						68.0,
						17.0
					],
					"presentation": 1,
					"presentation_rect": [
						6.0,
						78.0,
						68.0,
						17.0
					],
					"varname": "from_clip",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "From clip",
					"texton": "From clip",
					"annotation": "Takes the selected clip as the melody: an audio clip's loop, or a MIDI clip's notes.",
					"annotation_name": "From Clip",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "From Clip",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Takes the selected clip as the melody: an audio clip's loop, or a MIDI clip's notes.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "From Clip",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "From Clip",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-10",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						20.0,
						217.0,
						68.0,
						17.0
					],
					"presentation": 1,
					"presentation_rect": [
						78.0,
						78.0,
						68.0,
						17.0
					],
					"varname": "no_melody",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "No melody",
					"texton": "No melody",
					"annotation": "Forgets the melody: the next clip follows the prompt alone.",
					"annotation_name": "No Melody",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "No Melody",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Forgets the melody: the next clip follows the prompt alone.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "No Melody",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "No Melody",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-11",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						20.0,
						242.0,
						142.0,
						18.0
					],
					"presentation": 1,
					"presentation_rect": [
						6.0,
						95.0,
						142.0,
						18.0
					],
					"varname": "melody",
					"textjustification": 0,
					"text": "no melody"
				}
			},
			{
				"box": {
					"id": "obj-12",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						20.0,
						268.0,
						92.0,
						20.0
					],
					"presentation": 1,
					"presentation_rect": [
						6.0,
						113.0,
						92.0,
						20.0
					],
					"varname": "hum_to_clip",
					"mode": 1,
					"outputmode": 0,
					"fontsize": 14.0,
					"outlettype": [
						"",
						""
					],
					"text": "Hum → clip",
					"texton": "Hum → clip",
					"annotation": "The bars that you have just hummed or played become a clip: Last bars and Generate in one. Map a pad to it.",
					"annotation_name": "Hum to Clip",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Hum to Clip",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "The bars that you have just hummed or played become a clip: Last bars and Generate in one. Map a pad to it.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Hum to Clip",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Hum to Clip",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-13",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						20.0,
						296.0,
						46.0,
						20.0
					],
					"presentation": 1,
					"presentation_rect": [
						100.0,
						113.0,
						46.0,
						20.0
					],
					"varname": "to_midi",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "To MIDI",
					"texton": "To MIDI",
					"annotation": "The melody's notes become a MIDI clip in the next free slot of the selected MIDI track, or of a new one.",
					"annotation_name": "To MIDI",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "To MIDI",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "The melody's notes become a MIDI clip in the next free slot of the selected MIDI track, or of a new one.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "To MIDI",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "To MIDI",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-14",
					"maxclass": "panel",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						20.0,
						324.0,
						8.0,
						8.0
					],
					"presentation": 1,
					"presentation_rect": [
						8.0,
						139.0,
						8.0,
						8.0
					],
					"varname": "loop_light",
					"rounded": 8
				}
			},
			{
				"box": {
					"id": "obj-15",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						20.0,
						340.0,
						60.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						20.0,
						135.0,
						60.0,
						15.0
					],
					"varname": "loop",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "Loop",
					"texton": "Loop",
					"annotation": "What you play comes back as clips, each in the last one's place, until you press again. Pressed a third time, it stops at once.",
					"annotation_name": "Loop",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Loop",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "What you play comes back as clips, each in the last one's place, until you press again. Pressed a third time, it stops at once.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Loop",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Loop",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-16",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						20.0,
						363.0,
						62.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						84.0,
						135.0,
						62.0,
						15.0
					],
					"varname": "freeze",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "Freeze",
					"texton": "Freeze",
					"annotation": "Keeps what the loop plays, and takes no more. Press again to go on.",
					"annotation_name": "Freeze",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Freeze",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Keeps what the loop plays, and takes no more. Press again to go on.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Freeze",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Freeze",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-17",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						20.0,
						386.0,
						142.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						6.0,
						151.0,
						142.0,
						15.0
					],
					"varname": "loop_state",
					"textjustification": 0,
					"text": "no loop"
				}
			},
			{
				"box": {
					"id": "obj-18",
					"maxclass": "live.line",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						20.0,
						409.0,
						5.0,
						161.0
					],
					"presentation": 1,
					"presentation_rect": [
						151.0,
						4.0,
						5.0,
						161.0
					],
					"varname": "line_1",
					"justification": 1
				}
			},
			{
				"box": {
					"id": "obj-19",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						20.0,
						578.0,
						40.0,
						18.0
					],
					"presentation": 1,
					"presentation_rect": [
						160.0,
						4.0,
						40.0,
						18.0
					],
					"varname": "preset_label",
					"textjustification": 0,
					"text": "Preset"
				}
			},
			{
				"box": {
					"id": "obj-20",
					"maxclass": "umenu",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						20.0,
						604.0,
						148.0,
						16.0
					],
					"presentation": 1,
					"presentation_rect": [
						202.0,
						5.0,
						148.0,
						16.0
					],
					"varname": "preset_menu",
					"fontname": "Ableton Sans Medium",
					"fontsize": 9.5,
					"outlettype": [
						"int",
						"",
						""
					],
					"saved_attribute_attributes": {
						"bgfillcolor": {
							"expression": "themecolor.live_control_bg"
						},
						"textcolor": {
							"expression": "themecolor.live_control_fg"
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-21",
					"maxclass": "textedit",
					"numinlets": 1,
					"numoutlets": 4,
					"patching_rect": [
						188.0,
						20.0,
						188.0,
						46.0
					],
					"presentation": 1,
					"presentation_rect": [
						162.0,
						25.0,
						188.0,
						46.0
					],
					"varname": "prompt_text",
					"outputmode": 1,
					"keymode": 1,
					"nosymquotes": 1,
					"wordwrap": 1,
					"rounded": 2.0,
					"text": "",
					"fontname": "Ableton Sans Medium",
					"fontsize": 9.5,
					"outlettype": [
						"",
						"int",
						"",
						""
					],
					"saved_attribute_attributes": {
						"bgcolor": {
							"expression": "themecolor.live_control_bg"
						},
						"textcolor": {
							"expression": "themecolor.live_control_fg"
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-22",
					"maxclass": "live.dial",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						188.0,
						74.0,
						46.0,
						48.0
					],
					"presentation": 1,
					"presentation_rect": [
						162.0,
						75.0,
						46.0,
						48.0
					],
					"varname": "guidance",
					"outlettype": [
						"",
						"float"
					],
					"annotation": "How strictly the clip follows prompt and melody. The model was made for 3.",
					"annotation_name": "Guidance",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Guidance",
							"parameter_info": "How strictly the clip follows prompt and melody. The model was made for 3.",
							"parameter_initial": [
								3
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Guidance",
							"parameter_mmax": 10,
							"parameter_mmin": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Guidance",
							"parameter_type": 0,
							"parameter_unitstyle": 1
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-23",
					"maxclass": "live.dial",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						188.0,
						130.0,
						46.0,
						48.0
					],
					"presentation": 1,
					"presentation_rect": [
						210.0,
						75.0,
						46.0,
						48.0
					],
					"varname": "temperature",
					"outlettype": [
						"",
						"float"
					],
					"annotation": "How daring the choice of sounds is: low values repeat, high ones fall apart.",
					"annotation_name": "Temperature",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Temperature",
							"parameter_info": "How daring the choice of sounds is: low values repeat, high ones fall apart.",
							"parameter_initial": [
								1
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Temperature",
							"parameter_mmax": 2,
							"parameter_mmin": 0.1,
							"parameter_modmode": 0,
							"parameter_shortname": "Temp",
							"parameter_type": 0,
							"parameter_unitstyle": 1
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-24",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						188.0,
						186.0,
						50.0,
						17.0
					],
					"presentation": 1,
					"presentation_rect": [
						262.0,
						74.0,
						50.0,
						17.0
					],
					"varname": "bars_label",
					"textjustification": 0,
					"text": "Bars"
				}
			},
			{
				"box": {
					"id": "obj-25",
					"maxclass": "live.numbox",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						188.0,
						211.0,
						36.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						314.0,
						75.0,
						36.0,
						15.0
					],
					"varname": "bars",
					"outlettype": [
						"",
						"float"
					],
					"annotation": "How many bars of your playing are taken, and how many bars the clip has.",
					"annotation_name": "Bars",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Bars",
							"parameter_info": "How many bars of your playing are taken, and how many bars the clip has.",
							"parameter_initial": [
								4
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Bars",
							"parameter_mmax": 64,
							"parameter_mmin": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Bars",
							"parameter_type": 1,
							"parameter_unitstyle": 0
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-26",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						188.0,
						234.0,
						52.0,
						16.0
					],
					"presentation": 1,
					"presentation_rect": [
						262.0,
						91.0,
						52.0,
						16.0
					],
					"varname": "variations_label",
					"textjustification": 0,
					"text": "Variations"
				}
			},
			{
				"box": {
					"id": "obj-27",
					"maxclass": "live.numbox",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						188.0,
						258.0,
						36.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						314.0,
						92.0,
						36.0,
						15.0
					],
					"varname": "variations",
					"outlettype": [
						"",
						"float"
					],
					"annotation": "How many clips one request makes. Each goes to its own slot; the one that is most like the melody comes first.",
					"annotation_name": "Variations",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Variations",
							"parameter_info": "How many clips one request makes. Each goes to its own slot; the one that is most like the melody comes first.",
							"parameter_initial": [
								1
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Variations",
							"parameter_mmax": 4,
							"parameter_mmin": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Variations",
							"parameter_type": 1,
							"parameter_unitstyle": 0
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-28",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						188.0,
						281.0,
						86.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						264.0,
						107.0,
						86.0,
						15.0
					],
					"varname": "song_key",
					"mode": 1,
					"outputmode": 1,
					"outlettype": [
						"",
						""
					],
					"text": "Song scale",
					"texton": "Song scale",
					"annotation": "Gives the model the key from Live's scale chooser, while the chooser is on.",
					"annotation_name": "Song Scale",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Song Scale",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Gives the model the key from Live's scale chooser, while the chooser is on.",
							"parameter_initial": [
								1
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Song Scale",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Song Scale",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-29",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						188.0,
						304.0,
						32.0,
						16.0
					],
					"presentation": 1,
					"presentation_rect": [
						160.0,
						123.0,
						32.0,
						16.0
					],
					"varname": "seed_label",
					"textjustification": 0,
					"text": "Seed"
				}
			},
			{
				"box": {
					"id": "obj-30",
					"maxclass": "live.numbox",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						188.0,
						328.0,
						64.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						192.0,
						124.0,
						64.0,
						15.0
					],
					"varname": "seed",
					"outlettype": [
						"",
						"float"
					],
					"annotation": "The same seed makes the same clip again. Unlocked, each clip gets a new seed.",
					"annotation_name": "Seed",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Seed",
							"parameter_info": "The same seed makes the same clip again. Unlocked, each clip gets a new seed.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Seed",
							"parameter_mmax": 16777215,
							"parameter_mmin": 0,
							"parameter_modmode": 0,
							"parameter_shortname": "Seed",
							"parameter_type": 0,
							"parameter_unitstyle": 0
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-31",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						188.0,
						351.0,
						41.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						264.0,
						124.0,
						41.0,
						15.0
					],
					"varname": "dice",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "Dice",
					"texton": "Dice",
					"annotation": "Draws a new seed and locks it.",
					"annotation_name": "Dice",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Dice",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Draws a new seed and locks it.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_invisible": 2,
							"parameter_longname": "Dice",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Dice",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-32",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						188.0,
						374.0,
						41.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						309.0,
						124.0,
						41.0,
						15.0
					],
					"varname": "seed_lock",
					"mode": 1,
					"outputmode": 1,
					"outlettype": [
						"",
						""
					],
					"text": "Lock",
					"texton": "Lock",
					"annotation": "Keeps the seed for the next clips.",
					"annotation_name": "Lock Seed",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Lock Seed",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Keeps the seed for the next clips.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Lock Seed",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Lock Seed",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-33",
					"maxclass": "live.line",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						188.0,
						397.0,
						5.0,
						161.0
					],
					"presentation": 1,
					"presentation_rect": [
						355.0,
						4.0,
						5.0,
						161.0
					],
					"varname": "line_2",
					"justification": 1
				}
			},
			{
				"box": {
					"id": "obj-34",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						188.0,
						566.0,
						96.0,
						20.0
					],
					"presentation": 1,
					"presentation_rect": [
						366.0,
						5.0,
						96.0,
						20.0
					],
					"varname": "generate",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "Generate",
					"texton": "Generate",
					"annotation": "Makes a clip that follows the melody, and places it in the next free slot.",
					"annotation_name": "Generate",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Generate",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Makes a clip that follows the melody, and places it in the next free slot.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Generate",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Generate",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-35",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						188.0,
						594.0,
						46.0,
						20.0
					],
					"presentation": 1,
					"presentation_rect": [
						466.0,
						5.0,
						46.0,
						20.0
					],
					"varname": "cancel",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "Cancel",
					"texton": "Cancel",
					"annotation": "Cancels the clips that are being made. Finished clips stay.",
					"annotation_name": "Cancel",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Cancel",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Cancels the clips that are being made. Finished clips stay.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Cancel",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Cancel",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-36",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						396.0,
						20.0,
						50.0,
						18.0
					],
					"presentation": 1,
					"presentation_rect": [
						514.0,
						6.0,
						50.0,
						18.0
					],
					"varname": "time_left",
					"textjustification": 2
				}
			},
			{
				"box": {
					"id": "obj-37",
					"maxclass": "multislider",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						46.0,
						196.0,
						8.0
					],
					"presentation": 1,
					"presentation_rect": [
						366.0,
						30.0,
						196.0,
						8.0
					],
					"varname": "progress",
					"ignoreclick": 1,
					"orientation": 0,
					"setminmax": [
						0.0,
						1.0
					],
					"setstyle": 1,
					"settype": 1,
					"size": 1,
					"parameter_enable": 0,
					"outlettype": [
						"",
						""
					],
					"saved_attribute_attributes": {
						"bgcolor": {
							"expression": "themecolor.live_control_bg"
						},
						"slidercolor": {
							"expression": "themecolor.live_control_selection"
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-38",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						62.0,
						46.0,
						22.0
					],
					"presentation": 1,
					"presentation_rect": [
						366.0,
						44.0,
						46.0,
						22.0
					],
					"varname": "launch_a",
					"mode": 1,
					"outputmode": 0,
					"active": 0,
					"activebgcolor": [
						1.0,
						0.603922,
						0.235294,
						1.0
					],
					"outlettype": [
						"",
						""
					],
					"text": "A",
					"texton": "A",
					"annotation": "Launches variation A of the newest request, in the clip's quantization. It lights up when the clip is in its slot.",
					"annotation_name": "Launch A",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Launch A",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Launches variation A of the newest request, in the clip's quantization. It lights up when the clip is in its slot.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Launch A",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Launch A",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						},
						"activebgcolor": {
							"expression": ""
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-39",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						92.0,
						46.0,
						13.0
					],
					"presentation": 1,
					"presentation_rect": [
						366.0,
						68.0,
						46.0,
						13.0
					],
					"varname": "discard_a",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "discard",
					"texton": "discard",
					"annotation": "Deletes variation A from its slot, and moves its file to the folder Discarded, where it stays for a week.",
					"annotation_name": "Discard A",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Discard A",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Deletes variation A from its slot, and moves its file to the folder Discarded, where it stays for a week.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_invisible": 2,
							"parameter_longname": "Discard A",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Discard A",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-40",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						113.0,
						46.0,
						22.0
					],
					"presentation": 1,
					"presentation_rect": [
						416.0,
						44.0,
						46.0,
						22.0
					],
					"varname": "launch_b",
					"mode": 1,
					"outputmode": 0,
					"active": 0,
					"activebgcolor": [
						0.309804,
						0.764706,
						0.968627,
						1.0
					],
					"outlettype": [
						"",
						""
					],
					"text": "B",
					"texton": "B",
					"annotation": "Launches variation B of the newest request, in the clip's quantization. It lights up when the clip is in its slot.",
					"annotation_name": "Launch B",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Launch B",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Launches variation B of the newest request, in the clip's quantization. It lights up when the clip is in its slot.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Launch B",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Launch B",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						},
						"activebgcolor": {
							"expression": ""
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-41",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						143.0,
						46.0,
						13.0
					],
					"presentation": 1,
					"presentation_rect": [
						416.0,
						68.0,
						46.0,
						13.0
					],
					"varname": "discard_b",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "discard",
					"texton": "discard",
					"annotation": "Deletes variation B from its slot, and moves its file to the folder Discarded, where it stays for a week.",
					"annotation_name": "Discard B",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Discard B",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Deletes variation B from its slot, and moves its file to the folder Discarded, where it stays for a week.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_invisible": 2,
							"parameter_longname": "Discard B",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Discard B",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-42",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						164.0,
						46.0,
						22.0
					],
					"presentation": 1,
					"presentation_rect": [
						466.0,
						44.0,
						46.0,
						22.0
					],
					"varname": "launch_c",
					"mode": 1,
					"outputmode": 0,
					"active": 0,
					"activebgcolor": [
						0.611765,
						0.8,
						0.396078,
						1.0
					],
					"outlettype": [
						"",
						""
					],
					"text": "C",
					"texton": "C",
					"annotation": "Launches variation C of the newest request, in the clip's quantization. It lights up when the clip is in its slot.",
					"annotation_name": "Launch C",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Launch C",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Launches variation C of the newest request, in the clip's quantization. It lights up when the clip is in its slot.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Launch C",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Launch C",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						},
						"activebgcolor": {
							"expression": ""
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-43",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						194.0,
						46.0,
						13.0
					],
					"presentation": 1,
					"presentation_rect": [
						466.0,
						68.0,
						46.0,
						13.0
					],
					"varname": "discard_c",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "discard",
					"texton": "discard",
					"annotation": "Deletes variation C from its slot, and moves its file to the folder Discarded, where it stays for a week.",
					"annotation_name": "Discard C",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Discard C",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Deletes variation C from its slot, and moves its file to the folder Discarded, where it stays for a week.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_invisible": 2,
							"parameter_longname": "Discard C",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Discard C",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-44",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						215.0,
						46.0,
						22.0
					],
					"presentation": 1,
					"presentation_rect": [
						516.0,
						44.0,
						46.0,
						22.0
					],
					"varname": "launch_d",
					"mode": 1,
					"outputmode": 0,
					"active": 0,
					"activebgcolor": [
						0.729412,
						0.54902,
						1.0,
						1.0
					],
					"outlettype": [
						"",
						""
					],
					"text": "D",
					"texton": "D",
					"annotation": "Launches variation D of the newest request, in the clip's quantization. It lights up when the clip is in its slot.",
					"annotation_name": "Launch D",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Launch D",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Launches variation D of the newest request, in the clip's quantization. It lights up when the clip is in its slot.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Launch D",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Launch D",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						},
						"activebgcolor": {
							"expression": ""
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-45",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						245.0,
						46.0,
						13.0
					],
					"presentation": 1,
					"presentation_rect": [
						516.0,
						68.0,
						46.0,
						13.0
					],
					"varname": "discard_d",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "discard",
					"texton": "discard",
					"annotation": "Deletes variation D from its slot, and moves its file to the folder Discarded, where it stays for a week.",
					"annotation_name": "Discard D",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Discard D",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Deletes variation D from its slot, and moves its file to the folder Discarded, where it stays for a week.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_invisible": 2,
							"parameter_longname": "Discard D",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Discard D",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-46",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						396.0,
						266.0,
						36.0,
						18.0
					],
					"presentation": 1,
					"presentation_rect": [
						364.0,
						86.0,
						36.0,
						18.0
					],
					"varname": "target_label",
					"textjustification": 0,
					"text": "Track"
				}
			},
			{
				"box": {
					"id": "obj-47",
					"maxclass": "umenu",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						396.0,
						292.0,
						160.0,
						16.0
					],
					"presentation": 1,
					"presentation_rect": [
						402.0,
						87.0,
						160.0,
						16.0
					],
					"varname": "target_menu",
					"fontname": "Ableton Sans Medium",
					"fontsize": 9.5,
					"outlettype": [
						"int",
						"",
						""
					],
					"saved_attribute_attributes": {
						"bgfillcolor": {
							"expression": "themecolor.live_control_bg"
						},
						"textcolor": {
							"expression": "themecolor.live_control_fg"
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-48",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						396.0,
						316.0,
						38.0,
						18.0
					],
					"presentation": 1,
					"presentation_rect": [
						364.0,
						104.0,
						38.0,
						18.0
					],
					"varname": "quantization_label",
					"textjustification": 0,
					"text": "Launch"
				}
			},
			{
				"box": {
					"id": "obj-49",
					"maxclass": "live.menu",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						396.0,
						342.0,
						72.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						402.0,
						105.0,
						72.0,
						15.0
					],
					"varname": "quantization",
					"outlettype": [
						"",
						"",
						"float"
					],
					"annotation": "When the clip starts after its launch; Global is the setting of the set.",
					"annotation_name": "Launch Quantization",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Launch Quantization",
							"parameter_enum": [
								"Global",
								"None",
								"8 Bars",
								"4 Bars",
								"2 Bars",
								"1 Bar",
								"1/2",
								"1/2T",
								"1/4",
								"1/4T",
								"1/8",
								"1/8T",
								"1/16",
								"1/16T",
								"1/32"
							],
							"parameter_info": "When the clip starts after its launch; Global is the setting of the set.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Launch Quantization",
							"parameter_mmax": 14,
							"parameter_modmode": 0,
							"parameter_shortname": "Launch",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-50",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						365.0,
						84.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						478.0,
						105.0,
						84.0,
						15.0
					],
					"varname": "auto_launch",
					"mode": 1,
					"outputmode": 1,
					"outlettype": [
						"",
						""
					],
					"text": "Auto-launch",
					"texton": "Auto-launch",
					"annotation": "Launches the first clip of a request as soon as it is ready.",
					"annotation_name": "Auto Launch",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Auto Launch",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Launches the first clip of a request as soon as it is ready.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Auto Launch",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Auto Launch",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-51",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						388.0,
						46.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						366.0,
						124.0,
						46.0,
						15.0
					],
					"varname": "thru",
					"mode": 1,
					"outputmode": 1,
					"outlettype": [
						"",
						""
					],
					"text": "Thru",
					"texton": "Thru",
					"annotation": "Lets this track's sound through. Off: your hum is captured but not heard.",
					"annotation_name": "Thru",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Thru",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Lets this track's sound through. Off: your hum is captured but not heard.",
							"parameter_initial": [
								1
							],
							"parameter_initial_enable": 1,
							"parameter_longname": "Thru",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Thru",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-52",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						411.0,
						46.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						416.0,
						124.0,
						46.0,
						15.0
					],
					"varname": "check",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "Check",
					"texton": "Check",
					"annotation": "Tries on a temporary track what the device relies on in this version of Live, writes a report, and removes the track.",
					"annotation_name": "Check",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Check",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Tries on a temporary track what the device relies on in this version of Live, writes a report, and removes the track.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_invisible": 2,
							"parameter_longname": "Check",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Check",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-53",
					"maxclass": "live.text",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						434.0,
						46.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						466.0,
						124.0,
						46.0,
						15.0
					],
					"varname": "reveal",
					"mode": 1,
					"outputmode": 0,
					"outlettype": [
						"",
						""
					],
					"text": "Reveal",
					"texton": "Reveal",
					"annotation": "Shows the folder with the newest clip.",
					"annotation_name": "Reveal",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Reveal",
							"parameter_enum": [
								"off",
								"on"
							],
							"parameter_info": "Shows the folder with the newest clip.",
							"parameter_initial": [
								0
							],
							"parameter_initial_enable": 1,
							"parameter_invisible": 2,
							"parameter_longname": "Reveal",
							"parameter_mmax": 1,
							"parameter_modmode": 0,
							"parameter_shortname": "Reveal",
							"parameter_type": 2,
							"parameter_unitstyle": 9
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-54",
					"maxclass": "live.numbox",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						396.0,
						457.0,
						46.0,
						15.0
					],
					"presentation": 1,
					"presentation_rect": [
						516.0,
						124.0,
						46.0,
						15.0
					],
					"varname": "port",
					"outlettype": [
						"",
						"float"
					],
					"annotation": "The UDP port of this machine that melody-bridge listens on.",
					"annotation_name": "Daemon Port",
					"parameter_enable": 1,
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Daemon Port",
							"parameter_info": "The UDP port of this machine that melody-bridge listens on.",
							"parameter_initial": [
								7771
							],
							"parameter_initial_enable": 1,
							"parameter_invisible": 1,
							"parameter_longname": "Daemon Port",
							"parameter_mmax": 65535,
							"parameter_mmin": 1024,
							"parameter_modmode": 0,
							"parameter_shortname": "Port",
							"parameter_type": 0,
							"parameter_unitstyle": 0
						}
					}
				}
			},
			{
				"box": {
					"id": "obj-55",
					"maxclass": "live.comment",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						396.0,
						480.0,
						404.0,
						30.0
					],
					"presentation": 1,
					"presentation_rect": [
						160.0,
						139.0,
						404.0,
						30.0
					],
					"varname": "status",
					"textjustification": 0
				}
			},
			{
				"box": {
					"id": "obj-56",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						20.0,
						147.0,
						22.0
					],
					"text": "prepend press capture",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-57",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						50.0,
						161.0,
						22.0
					],
					"text": "prepend press last_bars",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-58",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						80.0,
						161.0,
						22.0
					],
					"text": "prepend press from_clip",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-59",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						110.0,
						161.0,
						22.0
					],
					"text": "prepend press no_melody",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-60",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						140.0,
						175.0,
						22.0
					],
					"text": "prepend press hum_to_clip",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-61",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						170.0,
						147.0,
						22.0
					],
					"text": "prepend press to_midi",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-62",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						200.0,
						126.0,
						22.0
					],
					"text": "prepend press loop",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-63",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						230.0,
						140.0,
						22.0
					],
					"text": "prepend press freeze",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-64",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						260.0,
						168.0,
						22.0
					],
					"text": "prepend control guidance",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-65",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						290.0,
						189.0,
						22.0
					],
					"text": "prepend control temperature",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-66",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						320.0,
						140.0,
						22.0
					],
					"text": "prepend control bars",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-67",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						350.0,
						182.0,
						22.0
					],
					"text": "prepend control variations",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-68",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						380.0,
						168.0,
						22.0
					],
					"text": "prepend control song_key",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-69",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						410.0,
						140.0,
						22.0
					],
					"text": "prepend control seed",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-70",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						440.0,
						126.0,
						22.0
					],
					"text": "prepend press dice",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-71",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						470.0,
						175.0,
						22.0
					],
					"text": "prepend control seed_lock",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-72",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						500.0,
						154.0,
						22.0
					],
					"text": "prepend press generate",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-73",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						530.0,
						140.0,
						22.0
					],
					"text": "prepend press cancel",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-74",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						560.0,
						154.0,
						22.0
					],
					"text": "prepend press launch_a",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-75",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						820.0,
						590.0,
						161.0,
						22.0
					],
					"text": "prepend press discard_a",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-76",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						20.0,
						154.0,
						22.0
					],
					"text": "prepend press launch_b",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-77",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						50.0,
						161.0,
						22.0
					],
					"text": "prepend press discard_b",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-78",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						80.0,
						154.0,
						22.0
					],
					"text": "prepend press launch_c",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-79",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						110.0,
						161.0,
						22.0
					],
					"text": "prepend press discard_c",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-80",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						140.0,
						154.0,
						22.0
					],
					"text": "prepend press launch_d",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-81",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						170.0,
						161.0,
						22.0
					],
					"text": "prepend press discard_d",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-82",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						200.0,
						196.0,
						22.0
					],
					"text": "prepend control quantization",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-83",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						230.0,
						189.0,
						22.0
					],
					"text": "prepend control auto_launch",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-84",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						260.0,
						133.0,
						22.0
					],
					"text": "prepend press check",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-85",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						290.0,
						140.0,
						22.0
					],
					"text": "prepend press reveal",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-86",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						320.0,
						60.0,
						22.0
					],
					"text": "t b",
					"outlettype": [
						"bang"
					]
				}
			},
			{
				"box": {
					"id": "obj-87",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						350.0,
						147.0,
						22.0
					],
					"text": "prepend choose preset",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-88",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						380.0,
						147.0,
						22.0
					],
					"text": "prepend choose target",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-89",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						1080.0,
						410.0,
						140.0,
						22.0
					],
					"text": "pattr preset @thru 0",
					"outlettype": [
						"",
						"",
						""
					],
					"annotation": "The preset's name.",
					"annotation_name": "Preset",
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Preset",
							"parameter_info": "The preset's name.",
							"parameter_initial_enable": 0,
							"parameter_invisible": 1,
							"parameter_longname": "Preset",
							"parameter_modmode": 0,
							"parameter_shortname": "Preset",
							"parameter_type": 3
						}
					},
					"saved_object_attributes": {
						"parameter_enable": 1,
						"parameter_mappable": 0
					},
					"varname": "preset"
				}
			},
			{
				"box": {
					"id": "obj-90",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						440.0,
						161.0,
						22.0
					],
					"text": "prepend remember preset",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-91",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						1080.0,
						470.0,
						140.0,
						22.0
					],
					"text": "pattr prompt @thru 0",
					"outlettype": [
						"",
						"",
						""
					],
					"annotation": "What the clip should sound like.",
					"annotation_name": "Prompt",
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Prompt",
							"parameter_info": "What the clip should sound like.",
							"parameter_initial_enable": 0,
							"parameter_invisible": 1,
							"parameter_longname": "Prompt",
							"parameter_modmode": 0,
							"parameter_shortname": "Prompt",
							"parameter_type": 3
						}
					},
					"saved_object_attributes": {
						"parameter_enable": 1,
						"parameter_mappable": 0
					},
					"varname": "prompt"
				}
			},
			{
				"box": {
					"id": "obj-92",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						500.0,
						161.0,
						22.0
					],
					"text": "prepend remember prompt",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-93",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						1080.0,
						530.0,
						140.0,
						22.0
					],
					"text": "pattr target @thru 0",
					"outlettype": [
						"",
						"",
						""
					],
					"annotation": "The name of the track for clips.",
					"annotation_name": "Target Track",
					"saved_attribute_attributes": {
						"valueof": {
							"parameter_annotation_name": "Target Track",
							"parameter_info": "The name of the track for clips.",
							"parameter_initial_enable": 0,
							"parameter_invisible": 1,
							"parameter_longname": "Target Track",
							"parameter_modmode": 0,
							"parameter_shortname": "Target Track",
							"parameter_type": 3
						}
					},
					"saved_object_attributes": {
						"parameter_enable": 1,
						"parameter_mappable": 0
					},
					"varname": "target"
				}
			},
			{
				"box": {
					"id": "obj-94",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1080.0,
						560.0,
						161.0,
						22.0
					],
					"text": "prepend remember target",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-95",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						1080.0,
						590.0,
						105.0,
						22.0
					],
					"text": "live.thisdevice",
					"outlettype": [
						"bang",
						"int",
						"int"
					]
				}
			},
			{
				"box": {
					"id": "obj-96",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 3,
					"patching_rect": [
						1340.0,
						20.0,
						60.0,
						22.0
					],
					"text": "t b b b",
					"outlettype": [
						"bang",
						"bang",
						"bang"
					]
				}
			},
			{
				"box": {
					"id": "obj-97",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						50.0,
						77.0,
						22.0
					],
					"text": "outputvalue",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-98",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 3,
					"patching_rect": [
						1340.0,
						80.0,
						133.0,
						22.0
					],
					"text": "js melody_bridge.js",
					"outlettype": [
						"",
						"",
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-99",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						110.0,
						84.0,
						22.0
					],
					"text": "prepend port",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-100",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 0,
					"patching_rect": [
						1340.0,
						140.0,
						154.0,
						22.0
					],
					"text": "udpsend 127.0.0.1 7771"
				}
			},
			{
				"box": {
					"id": "obj-101",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						170.0,
						168.0,
						22.0
					],
					"text": "udpreceive 7772 @defer 1",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-102",
					"maxclass": "newobj",
					"numinlets": 40,
					"numoutlets": 40,
					"patching_rect": [
						1340.0,
						200.0,
						240.0,
						22.0
					],
					"text": "route light state daemon_level capture last_bars from_clip no_melody melody hum_to_clip to_midi loop_light loop freeze loop_state preset_menu prompt_text seed dice seed_lock generate cancel time_left progress launch_a discard_a launch_b discard_b launch_c discard_c launch_d discard_d target_menu check reveal status keep_preset keep_prompt keep_target listen_on",
					"outlettype": [
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						"",
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-103",
					"maxclass": "newobj",
					"numinlets": 5,
					"numoutlets": 5,
					"patching_rect": [
						1340.0,
						230.0,
						217.0,
						22.0
					],
					"text": "route record buffer sync listen",
					"outlettype": [
						"",
						"",
						"",
						"",
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-104",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 2,
					"patching_rect": [
						1340.0,
						260.0,
						60.0,
						22.0
					],
					"text": "plugin~",
					"outlettype": [
						"signal",
						"signal"
					]
				}
			},
			{
				"box": {
					"id": "obj-105",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						290.0,
						60.0,
						22.0
					],
					"text": "*~ 0.5",
					"outlettype": [
						"signal"
					]
				}
			},
			{
				"box": {
					"id": "obj-106",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						320.0,
						77.0,
						22.0
					],
					"text": "peakamp~ 20",
					"outlettype": [
						"float"
					]
				}
			},
			{
				"box": {
					"id": "obj-107",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						350.0,
						60.0,
						22.0
					],
					"text": "gate",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-108",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						380.0,
						84.0,
						22.0
					],
					"text": "prepend peak",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-109",
					"maxclass": "newobj",
					"numinlets": 4,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						410.0,
						119.0,
						22.0
					],
					"text": "record~ ---take 2",
					"outlettype": [
						"signal"
					]
				}
			},
			{
				"box": {
					"id": "obj-110",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 2,
					"patching_rect": [
						1340.0,
						440.0,
						154.0,
						22.0
					],
					"text": "buffer~ ---take 1000 2",
					"outlettype": [
						"float",
						"bang"
					]
				}
			},
			{
				"box": {
					"id": "obj-111",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						470.0,
						105.0,
						22.0
					],
					"text": "prepend written",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-112",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 9,
					"patching_rect": [
						1340.0,
						500.0,
						63.0,
						22.0
					],
					"text": "plugsync~",
					"outlettype": [
						"int",
						"int",
						"int",
						"float",
						"list",
						"float",
						"float",
						"int",
						"int"
					]
				}
			},
			{
				"box": {
					"id": "obj-113",
					"maxclass": "newobj",
					"numinlets": 1,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						530.0,
						126.0,
						22.0
					],
					"text": "prepend song_beats",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-114",
					"maxclass": "message",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						1340.0,
						560.0,
						60.0,
						22.0
					],
					"text": "$1 20",
					"outlettype": [
						""
					]
				}
			},
			{
				"box": {
					"id": "obj-115",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 2,
					"patching_rect": [
						1340.0,
						590.0,
						60.0,
						22.0
					],
					"text": "line~ 1.",
					"outlettype": [
						"signal",
						"bang"
					]
				}
			},
			{
				"box": {
					"id": "obj-116",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						1600.0,
						20.0,
						60.0,
						22.0
					],
					"text": "*~",
					"outlettype": [
						"signal"
					]
				}
			},
			{
				"box": {
					"id": "obj-117",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 1,
					"patching_rect": [
						1600.0,
						50.0,
						60.0,
						22.0
					],
					"text": "*~",
					"outlettype": [
						"signal"
					]
				}
			},
			{
				"box": {
					"id": "obj-118",
					"maxclass": "newobj",
					"numinlets": 2,
					"numoutlets": 2,
					"patching_rect": [
						1600.0,
						80.0,
						60.0,
						22.0
					],
					"text": "plugout~",
					"outlettype": [
						"signal",
						"signal"
					]
				}
			}
		],
		"lines": [
			{
				"patchline": {
					"destination": [
						"obj-56",
						0
					],
					"source": [
						"obj-7",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-56",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-57",
						0
					],
					"source": [
						"obj-8",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-57",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-58",
						0
					],
					"source": [
						"obj-9",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-58",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-59",
						0
					],
					"source": [
						"obj-10",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-59",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-60",
						0
					],
					"source": [
						"obj-12",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-60",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-61",
						0
					],
					"source": [
						"obj-13",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-61",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-62",
						0
					],
					"source": [
						"obj-15",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-62",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-63",
						0
					],
					"source": [
						"obj-16",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-63",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-64",
						0
					],
					"source": [
						"obj-22",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-64",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-65",
						0
					],
					"source": [
						"obj-23",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-65",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-66",
						0
					],
					"source": [
						"obj-25",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-66",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-67",
						0
					],
					"source": [
						"obj-27",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-67",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-68",
						0
					],
					"source": [
						"obj-28",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-68",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-69",
						0
					],
					"source": [
						"obj-30",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-69",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-70",
						0
					],
					"source": [
						"obj-31",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-70",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-71",
						0
					],
					"source": [
						"obj-32",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-71",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-72",
						0
					],
					"source": [
						"obj-34",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-72",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-73",
						0
					],
					"source": [
						"obj-35",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-73",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-74",
						0
					],
					"source": [
						"obj-38",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-74",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-75",
						0
					],
					"source": [
						"obj-39",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-75",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-76",
						0
					],
					"source": [
						"obj-40",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-76",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-77",
						0
					],
					"source": [
						"obj-41",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-77",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-78",
						0
					],
					"source": [
						"obj-42",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-78",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-79",
						0
					],
					"source": [
						"obj-43",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-79",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-80",
						0
					],
					"source": [
						"obj-44",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-80",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-81",
						0
					],
					"source": [
						"obj-45",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-81",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-82",
						0
					],
					"source": [
						"obj-49",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-82",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-83",
						0
					],
					"source": [
						"obj-50",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-83",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-84",
						0
					],
					"source": [
						"obj-52",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-84",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-85",
						0
					],
					"source": [
						"obj-53",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-85",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-86",
						0
					],
					"source": [
						"obj-21",
						3
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-21",
						0
					],
					"source": [
						"obj-86",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						1
					],
					"source": [
						"obj-21",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-87",
						0
					],
					"source": [
						"obj-20",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-87",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-88",
						0
					],
					"source": [
						"obj-47",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-88",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-90",
						0
					],
					"source": [
						"obj-89",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-92",
						0
					],
					"source": [
						"obj-91",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-94",
						0
					],
					"source": [
						"obj-93",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-90",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-92",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-94",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-96",
						0
					],
					"source": [
						"obj-95",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-97",
						0
					],
					"source": [
						"obj-96",
						2
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-89",
						0
					],
					"source": [
						"obj-96",
						1
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-91",
						0
					],
					"source": [
						"obj-96",
						1
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-93",
						0
					],
					"source": [
						"obj-96",
						1
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-96",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-22",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-23",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-25",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-27",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-28",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-30",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-32",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-49",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-50",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-51",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-54",
						0
					],
					"source": [
						"obj-97",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-99",
						0
					],
					"source": [
						"obj-54",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-99",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-100",
						0
					],
					"source": [
						"obj-98",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-101",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-102",
						0
					],
					"source": [
						"obj-98",
						1
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-1",
						0
					],
					"source": [
						"obj-102",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-2",
						0
					],
					"source": [
						"obj-102",
						1
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-6",
						0
					],
					"source": [
						"obj-102",
						2
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-7",
						0
					],
					"source": [
						"obj-102",
						3
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-8",
						0
					],
					"source": [
						"obj-102",
						4
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-9",
						0
					],
					"source": [
						"obj-102",
						5
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-10",
						0
					],
					"source": [
						"obj-102",
						6
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-11",
						0
					],
					"source": [
						"obj-102",
						7
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-12",
						0
					],
					"source": [
						"obj-102",
						8
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-13",
						0
					],
					"source": [
						"obj-102",
						9
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-14",
						0
					],
					"source": [
						"obj-102",
						10
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-15",
						0
					],
					"source": [
						"obj-102",
						11
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-16",
						0
					],
					"source": [
						"obj-102",
						12
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-17",
						0
					],
					"source": [
						"obj-102",
						13
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-20",
						0
					],
					"source": [
						"obj-102",
						14
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-21",
						0
					],
					"source": [
						"obj-102",
						15
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-30",
						0
					],
					"source": [
						"obj-102",
						16
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-31",
						0
					],
					"source": [
						"obj-102",
						17
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-32",
						0
					],
					"source": [
						"obj-102",
						18
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-34",
						0
					],
					"source": [
						"obj-102",
						19
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-35",
						0
					],
					"source": [
						"obj-102",
						20
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-36",
						0
					],
					"source": [
						"obj-102",
						21
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-37",
						0
					],
					"source": [
						"obj-102",
						22
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-38",
						0
					],
					"source": [
						"obj-102",
						23
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-39",
						0
					],
					"source": [
						"obj-102",
						24
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-40",
						0
					],
					"source": [
						"obj-102",
						25
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-41",
						0
					],
					"source": [
						"obj-102",
						26
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-42",
						0
					],
					"source": [
						"obj-102",
						27
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-43",
						0
					],
					"source": [
						"obj-102",
						28
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-44",
						0
					],
					"source": [
						"obj-102",
						29
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-45",
						0
					],
					"source": [
						"obj-102",
						30
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-47",
						0
					],
					"source": [
						"obj-102",
						31
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-52",
						0
					],
					"source": [
						"obj-102",
						32
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-53",
						0
					],
					"source": [
						"obj-102",
						33
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-55",
						0
					],
					"source": [
						"obj-102",
						34
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-89",
						0
					],
					"source": [
						"obj-102",
						35
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-91",
						0
					],
					"source": [
						"obj-102",
						36
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-93",
						0
					],
					"source": [
						"obj-102",
						37
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-101",
						0
					],
					"source": [
						"obj-102",
						38
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-103",
						0
					],
					"source": [
						"obj-98",
						2
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-109",
						0
					],
					"source": [
						"obj-103",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-110",
						0
					],
					"source": [
						"obj-103",
						1
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-112",
						0
					],
					"source": [
						"obj-103",
						2
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-107",
						0
					],
					"source": [
						"obj-103",
						3
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-105",
						0
					],
					"source": [
						"obj-104",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-105",
						0
					],
					"source": [
						"obj-104",
						1
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-4",
						0
					],
					"source": [
						"obj-105",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-106",
						0
					],
					"source": [
						"obj-105",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-107",
						1
					],
					"source": [
						"obj-106",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-108",
						0
					],
					"source": [
						"obj-107",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-108",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-109",
						0
					],
					"source": [
						"obj-104",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-109",
						1
					],
					"source": [
						"obj-104",
						1
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-111",
						0
					],
					"source": [
						"obj-110",
						1
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-111",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-113",
						0
					],
					"source": [
						"obj-112",
						6
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-98",
						0
					],
					"source": [
						"obj-113",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-114",
						0
					],
					"source": [
						"obj-51",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-115",
						0
					],
					"source": [
						"obj-114",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-116",
						1
					],
					"source": [
						"obj-115",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-117",
						1
					],
					"source": [
						"obj-115",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-116",
						0
					],
					"source": [
						"obj-104",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-117",
						0
					],
					"source": [
						"obj-104",
						1
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-118",
						0
					],
					"source": [
						"obj-116",
						0
					]
				}
			},
			{
				"patchline": {
					"destination": [
						"obj-118",
						1
					],
					"source": [
						"obj-117",
						0
					]
				}
			}
		],
		"parameters": {
			"obj-7": [
				"Capture",
				"Capture",
				0
			],
			"obj-8": [
				"Last Bars",
				"Last Bars",
				0
			],
			"obj-9": [
				"From Clip",
				"From Clip",
				0
			],
			"obj-10": [
				"No Melody",
				"No Melody",
				0
			],
			"obj-12": [
				"Hum to Clip",
				"Hum to Clip",
				0
			],
			"obj-13": [
				"To MIDI",
				"To MIDI",
				0
			],
			"obj-15": [
				"Loop",
				"Loop",
				0
			],
			"obj-16": [
				"Freeze",
				"Freeze",
				0
			],
			"obj-22": [
				"Guidance",
				"Guidance",
				0
			],
			"obj-23": [
				"Temperature",
				"Temp",
				0
			],
			"obj-25": [
				"Bars",
				"Bars",
				0
			],
			"obj-27": [
				"Variations",
				"Variations",
				0
			],
			"obj-28": [
				"Song Scale",
				"Song Scale",
				0
			],
			"obj-30": [
				"Seed",
				"Seed",
				0
			],
			"obj-31": [
				"Dice",
				"Dice",
				0
			],
			"obj-32": [
				"Lock Seed",
				"Lock Seed",
				0
			],
			"obj-34": [
				"Generate",
				"Generate",
				0
			],
			"obj-35": [
				"Cancel",
				"Cancel",
				0
			],
			"obj-38": [
				"Launch A",
				"Launch A",
				0
			],
			"obj-39": [
				"Discard A",
				"Discard A",
				0
			],
			"obj-40": [
				"Launch B",
				"Launch B",
				0
			],
			"obj-41": [
				"Discard B",
				"Discard B",
				0
			],
			"obj-42": [
				"Launch C",
				"Launch C",
				0
			],
			"obj-43": [
				"Discard C",
				"Discard C",
				0
			],
			"obj-44": [
				"Launch D",
				"Launch D",
				0
			],
			"obj-45": [
				"Discard D",
				"Discard D",
				0
			],
			"obj-49": [
				"Launch Quantization",
				"Launch",
				0
			],
			"obj-50": [
				"Auto Launch",
				"Auto Launch",
				0
			],
			"obj-51": [
				"Thru",
				"Thru",
				0
			],
			"obj-52": [
				"Check",
				"Check",
				0
			],
			"obj-53": [
				"Reveal",
				"Reveal",
				0
			],
			"obj-54": [
				"Daemon Port",
				"Port",
				0
			],
			"obj-89": [
				"Preset",
				"Preset",
				0
			],
			"obj-91": [
				"Prompt",
				"Prompt",
				0
			],
			"obj-93": [
				"Target Track",
				"Target Track",
				0
			],
			"parameterbanks": {
				"0": {
					"index": 0,
					"name": "Play",
					"parameters": [
						"Hum to Clip",
						"Generate",
						"Bars",
						"Variations",
						"Guidance",
						"Temperature",
						"Seed",
						"Lock Seed"
					]
				},
				"1": {
					"index": 1,
					"name": "Clips",
					"parameters": [
						"Launch A",
						"Launch B",
						"Launch C",
						"Launch D",
						"Auto Launch",
						"Launch Quantization",
						"Cancel",
						"Thru"
					]
				},
				"2": {
					"index": 2,
					"name": "Melody",
					"parameters": [
						"Capture",
						"Last Bars",
						"From Clip",
						"No Melody",
						"Song Scale",
						"Loop",
						"Freeze",
						"To MIDI"
					]
				}
			},
			"inherited_shortname": 1
		},
		"dependency_cache": [
			{
				"name": "melody_bridge.js",
				"bootpath": ".",
				"type": "TEXT",
				"implicit": 1
			}
		],
		"latency": 0,
		"is_mpe": 0,
		"minimum_live_version": "",
		"minimum_max_version": "",
		"platform_compatibility": 0,
		"project": {
			"version": 1,
			"creationdate": 3845923200,
			"modificationdate": 3845923200,
			"viewrect": [
				0.0,
				0.0,
				300.0,
				500.0
			],
			"autoorganize": 1,
			"hideprojectwindow": 1,
			"showdependencies": 1,
			"autolocalize": 0,
			"contents": {
				"patchers": {},
				"code": {
					"melody_bridge.js": {
						"kind": "javascript",
						"local": 1
					}
				}
			},
			"layout": {},
			"searchpath": {},
			"detailsvisible": 0,
			"amxdtype": 1633771873,
			"readonly": 0,
			"devpathtype": 0,
			"devpath": ".",
			"sortmode": 0,
			"viewmode": 0,
			"includepackages": 0
		},
		"autosave": 0
	}
}
