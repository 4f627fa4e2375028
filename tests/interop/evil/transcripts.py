"""The messages that each behaviour of an evil SCP sends, as an SCU by hand sees them.

A transcript is one line of steps that are parted by bars:

- `pending`: the honest pending response of the operation, with its match for a C-FIND; `pending to 8`: to that Message ID;
- `FF00H`, `0000H ...`: a response with this status and no data set, and as many of its counts as are written down;
- `0000H + 76 bytes`: a response that announces a data set, and the data set; `0000H +` only the announcement;
- `store 1`: a C-STORE of the stock's first instance, which is answered; left out for a C-MOVE;
- `until FE00H`: any number of messages, and then such a response;
- `cancel`: the SCU sends a C-CANCEL;
- `released`: a release is answered; `mute`: nothing more comes, even if a release is asked for;
- anything else: the beginning of a line as `RawSCU` writes it.
"""

from __future__ import annotations

STORED = "store 1 | store 2 | store 3"

RESPONSES = {
    "pending_for_ever": "pending | pending | pending | pending | cancel | pending | pending",
    "pending_for_ever_slowly": "pending | pending | pending | cancel | pending | pending",
    "silence": "mute",
    "silence_after_pending": "pending | cancel | mute",
    "no_answer_to_release": "pending | 0000H | mute",
    "no_final": "pending | pending | pending | released",
    "cancel_ignored": "pending | cancel | " + "pending | " * 20 + "0000H | released",
    "cancel_never_answered": "pending | cancel | mute",
    "cancel_answered_twice": "pending | cancel | FE00H | FE00H | released",
    "cancelled_unasked": "pending | FE00H | released",
    "pending_after_cancelled": "pending | cancel | FE00H | pending | pending | pending | pending | pending | released",
    "abort_at_once": "A-ABORT 0/0 | mute",
    "abort_after_pending": "pending | pending | A-ABORT 2/0 | mute",
    "close_at_once": "closed",
    "close_after_pending": "pending | pending | closed",
    "reset_after_pending": "pending | closed",
    "release_instead_of_final": "pending | A-RELEASE-RQ | mute",
    "two_finals": "pending | 0000H | 0000H | released",
    "two_different_finals": "0000H | C001H | released",
    "pending_after_final": "0000H | pending | pending | pending | released",
    "wrong_message_id_pending": "pending to 8 | 0000H | released",
    "wrong_message_id_final": "RSP 0000H to 8 | mute",
    "response_of_another_service": "C-ECHO-RSP 0000H to 1 | mute",
    "store_response_unasked": "C-STORE-RSP 0000H to 1 | 0000H | released",
    "request_sent_back": "RQ with data set | data set of 68 bytes | mute",
    "unknown_command_field": "FFF0H-RSP 0000H to 1 | mute",
    "response_on_unknown_context": "RSP 0000H to 1 on context 251 | mute",
    "response_on_another_context": "RSP 0000H to 1 on the wrong context | mute",
    "echo_in_between": "pending | C-ECHO-RQ | 0000H | released",
    "no_status": "RSP without status to 1 | mute",
    "no_message_id": "RSP 0000H to nothing | mute",
    "no_command_field": "a command that cannot be read | mute",
    "no_data_set_type": "RSP 0000H to 1 without data set type | mute",
    "no_sop_class": "0000H | released",
    "another_sop_class": "0000H | released",
    "unknown_status": "1234H | released",
    "unknown_failure": "CFFFH | released",
    "unknown_warning": "B0FFH | released",
    "status_of_four_bytes": "RSP 00000000H to 1 | mute",
    "comment_with_escapes": "A700H | released",
    "comment_of_64_kib": "A700H | released",
    "offending_element_of_odd_length": "RSP A900H to 1 of odd length | released",
    "final_announces_identifier_only": "0000H + | mute",
    "command_where_identifier_is_due": "FF00H + | 0000H | mute",
    "data_set_not_announced": "0000H | data set of | mute",
}

FIND_RESPONSES = {
    "pending_without_identifier": "FF00H | FF00H | FF00H | 0000H | released",
    "final_with_identifier": "pending | 0000H + 76 bytes | released",
    "a_million_matches": "FF00H + 56 bytes | FF00H + 56 bytes | FF00H + 56 bytes | cancel | until FE00H | released",
}

# One match with an identifier of so many bytes, and Success.
IDENTIFIERS = {
    "identifier_of_no_bytes": "0 bytes",
    "identifier_of_noise": "4096 bytes",
    "identifier_cut_short": "74 bytes",
    "value_of_4_gib": "92 bytes",
    "sequence_without_end": "88 bytes",
    "big_endian_identifier": "28 bytes",
    "identifier_in_the_other_vr": "50 bytes",
    "command_and_file_elements": "114 bytes",
    "elements_out_of_order": "70 bytes",
    "group_length_that_lies": "88 bytes",
    "nested_1000_deep": "36076 bytes in 3 fragments",
    "nested_50000_deep": "1 MiB in 110 fragments",
    "elements_by_the_hundred_thousand": "800076 bytes in 49 fragments",
    "items_by_the_hundred_thousand": "800088 bytes in 49 fragments",
    "value_with_a_million_values": "1 MiB in 123 fragments",
    "match_of_another_patient": "80 bytes",
    "match_of_another_study": "76 bytes",
    "match_of_another_level": "76 bytes",
    "match_with_traversal_uid": "68 bytes",
    "match_with_empty_uid": "48 bytes",
    "match_with_uid_of_1000_characters": "1050 bytes",
    "match_with_escapes": "100 bytes",
    "match_with_formula": "86 bytes",
    "match_with_unknown_charset": "94 bytes",
    "match_with_malformed_count": "88 bytes",
    "match_with_huge_count": "96 bytes",
    "match_with_broken_utf_8": "94 bytes",
    "keys_not_asked_for": "240 bytes",
    "no_keys_at_all": "14 bytes",
    "pdu_longer_than_negotiated": "1 MiB",
    "pdvs_of_one_byte": "76 bytes in 76 fragments",
    "command_and_identifier_in_one_pdu": "76 bytes",
    "empty_last_fragment": "76 bytes in 2 fragments",
    "bytes_one_by_one": "76 bytes",
}

OTHER_FINDS = {
    "identifier_of_16_mib": "FF00H + | a thousand fragments | data set of 16 MiB in 1025 fragments | 0000H | released",
    "identifier_without_end": "FF00H + | a thousand fragments",
    "identifier_one_fragment_a_second": "FF00H +",
    "same_match_a_thousand_times": "pending | " * 1000 + "0000H | released",
    "identifier_before_command": "data set of 76 bytes | mute",
    "identifier_on_another_context": "FF00H + | data set of 76 bytes on context 251 | mute",
    "abort_within_identifier": "FF00H + | A-ABORT 0/0 | mute",
}

PDUS = {
    "empty_fragments_for_ever": "a thousand fragments",
    "command_without_end": "a thousand fragments",
    "command_of_noise": "a command that cannot be read | mute",
    "command_element_of_4_gib": "0000H | mute",
    "group_length_of_4_gib": "0000H | released",
    "pdv_longer_than_its_pdu": "a PDV of length 4000 in 26 bytes | mute",
    "pdv_of_length_0": "a PDV of length 0 in 4 bytes | mute",
    "pdu_of_4_gib": "PDU type 04H of 4294967295 bytes",
    "unknown_pdu_type": "PDU type 42H of 8 bytes | mute",
    "second_acceptance": "A-ASSOCIATE-AC | mute",
    "associate_request_in_between": "A-ASSOCIATE-RQ | mute",
    "close_within_pdu": "a torn PDU | closed",
    "silence_within_pdu": "half a PDU",
    "abort_that_is_too_long": "PDU type 07H of 64 bytes | mute",
}

GETS = {
    "store_of_another_class": "store 1 | 0000H -/1/0/0 | released",
    "store_on_the_get_context": "store 1 | 0000H -/1/0/0 | released",
    "store_on_unknown_context": "C-STORE-RQ {1} with data set on context 251 | data set of | 0000H -/1/0/0 | released",
    "store_of_another_study": "C-STORE-RQ {foreign} with data set | data set of | 0000H -/1/0/0 | released",
    "store_with_traversal_uid": "C-STORE-RQ ../../../../tmp/evil with data set | data set of | 0000H -/1/0/0 | released",
    "store_with_absolute_uid": "C-STORE-RQ /tmp/evil with data set | data set of | 0000H -/1/0/0 | released",
    "store_with_nul_in_uid": r"C-STORE-RQ 1.2\x00\n.3 with data set | data set of | 0000H -/1/0/0 | released",
    "store_with_empty_uid": "C-STORE-RQ  with data set | data set of | 0000H -/1/0/0 | released",
    "store_with_long_uid": "C-STORE-RQ 1.1.1.1.1.1.1 | data set of 1296 bytes | 0000H -/1/0/0 | released",
    "store_with_two_uids": "store 1 | 0000H -/1/0/0 | released",
    "store_without_data_set": "C-STORE-RQ {1} | 0000H -/1/0/0 | released",
    "store_of_no_bytes": "C-STORE-RQ {1} with data set | data set of 0 bytes | 0000H -/1/0/0 | released",
    "store_of_noise": "C-STORE-RQ {1} with data set | data set of 2048 bytes | 0000H -/1/0/0 | released",
    "same_instance_twice": "store 1 | store 1 | 0000H -/2/0/0 | released",
    "same_uid_other_bytes": "store 1 | store 1 | 0000H -/2/0/0 | released",
    "same_message_id_twice": "store 1 | store 2 | 0000H -/2/0/0 | released",
    "stores_without_waiting": STORED + " | 0000H -/3/0/0 | released",
    "final_before_store_response": "store 1 | 0000H -/1/0/0 | released",
    "stores_after_final": "0000H -/3/0/0 | " + STORED + " | released",
    "stores_for_ever": "C-STORE-RQ 1.2.3.1 | data set of | C-STORE-RQ 1.2.3.2 | data set of | cancel | C-STORE-RQ 1.2.3.3",
    "store_without_end": "C-STORE-RQ {1} with data set | a thousand fragments",
    "store_that_stops_halfway": "C-STORE-RQ {2} with data set | mute",
    "abort_within_store": "store 1 | C-STORE-RQ {2} with data set | A-ABORT 0/0 | mute",
    "close_within_store": "store 1 | C-STORE-RQ {2} with data set | closed",
    "final_within_store": "C-STORE-RQ {2} with data set | 0000H -/1/0/0 | mute",
    "abort_after_two_stores": "store 1 | store 2 | A-ABORT 0/0 | mute",
    "silence_after_two_stores": "store 1 | store 2 | mute",
    "compressed_bytes_on_uncompressed_context": "store 1 | 0000H -/1/0/0 | released",
    "success_after_refused_stores": STORED + " | 0000H -/3/0/0 | released",
    "roles_taken_away": "store 1 | FF00H 2/1/0/0 | store 2 | FF00H 1/2/0/0 | store 3 | FF00H 0/3/0/0 | 0000H -/3/0/0 | released",
}

CLAIMS = {
    "counts_too_high": "store 1 | 0000H -/5/0/0 | released",
    "counts_too_low": STORED + " | 0000H -/1/0/0 | released",
    "counts_absent": "store 1 | 0000H without counts | released",
    "counts_of_65535": "store 1 | 0000H -/65535/65535/65535 | released",
    "remaining_in_success": "store 1 | 0000H 2/1/0/0 | released",
    "success_with_failures": "store 1 | 0000H -/1/2/0 | released",
    "success_with_nothing_stored": "0000H -/3/0/0 | released",
    "warning_with_nothing_completed": "B000H -/0/3/0 | released",
    "warning_without_counts": "store 1 | B000H without counts | released",
    "warning_without_failures": "store 1 | B000H -/0/0/1 | released",
    "all_failed_though_stored": STORED + " | A702H -/0/3/0 | released",
    "failure_without_counts": "A702H without counts | released",
    "failed_list_repeats": "store 1 | B000H -/1/1/0 + 6008 bytes | released",
    "failed_list_of_others": "store 1 | B000H -/1/1/0 + 40 bytes | released",
    "failed_list_of_stored": "store 1 | B000H -/0/1/0 + 40 bytes | released",
    "failed_list_with_paths": "store 1 | B000H -/1/1/0 + 26 bytes | released",
    "failed_list_in_success": "store 1 | 0000H -/1/0/0 + 40 bytes | released",
    "failed_list_too_short": "store 1 | B000H -/1/2/0 + 40 bytes | released",
    "count_of_four_bytes": "store 1 | 0000H -/1/-/- | released",
    "counts_that_go_back": "FF00H 1/2/0/0 | FF00H 9/0/5/0 | FF00H 0/0/0/0 | FF00H 65535/1/1/1 | 0000H -/0/0/0 | released",
    "pending_with_data_set": "FF00H 1/0/0/0 + 14 bytes | FF00H 0/1/0/0 + 14 bytes | 0000H -/0/0/0 | released",
    "failed_list_of_16_mib": "B000H -/1/1/0 + | a thousand fragments | data set of 16 MiB in 1025 fragments | released",
}

# What comes in the association of the C-MOVE; what comes in those to the destination has a table of its own.
MOVES = {
    "move_of_another_study": "0000H -/1/0/0 | released",
    "move_of_another_study_without_originator": "0000H -/1/0/0 | released",
    "move_with_wrong_originator": "0000H -/1/0/0 | released",
    "move_with_traversal_uid": "0000H -/1/0/0 | released",
    "move_stores_late": "0000H -/3/0/0 | released",
    "move_final_between_stores": "0000H -/3/0/0 | released",
    "move_never_releases": "0000H -/3/0/0 | mute",
    "move_opens_and_stores_nothing": "0000H -/3/0/0 | released",
    "move_stores_half_and_aborts": "0000H -/3/0/0 | released",
    "move_stores_half_and_falls_silent": "0000H -/1/0/0 | mute",
    "move_over_thirty_associations": "0000H -/30/0/0 | released",
    "move_same_instance_twice": "0000H -/2/0/0 | released",
    "move_though_destination_unknown": "A801H | released",
}

# The instances of the stock, by number, that the destination of a C-MOVE has in the end; 0 is the foreign one.
MOVED = {
    "move_of_another_study": [0],
    "move_of_another_study_without_originator": [0],
    "move_with_wrong_originator": [0],
    "move_stores_late": [1, 2, 3],
    "move_final_between_stores": [1, 2, 3],
    "move_never_releases": [1, 2, 3],
    "move_opens_and_stores_nothing": [],
    "move_stores_half_and_aborts": [1],
    "move_stores_half_and_falls_silent": [],
    "move_over_thirty_associations": list(range(1, 31)),
    "move_same_instance_twice": [1, 1],
    "move_though_destination_unknown": [1, 2, 3],
}

# The answer to an A-ASSOCIATE-RQ of four contexts, of which the last is for C-STORE.
ASSOCIATIONS = {
    "rejected": "A-ASSOCIATE-RJ 1/1/1",
    "never_accepted": "silence",
    "no_context_accepted": "1 3, 3 3, 5 3, 7 3",
    "each_context_rejected": "1 1, 3 1, 5 1, 7 1",
    "another_syntax_accepted": "1 0 1.2.840.10008.1.2.4.102",
    "other_contexts_accepted": "251 0 1.2.840.10008.1.2.4.102, 253 0 1.2.840.10008.1.2.4.102",
    "each_context_twice": "1 0 1.2.840.10008.1.2.1, 3 0",
    "pdus_of_one_byte": "maximum length 1",
    "pdus_of_8_bytes": "maximum length 8",
    "extended_negotiation_of_noise": "0x56 of 27 bytes",
    "features_not_asked": "0x56 of 36 bytes",
    "acceptance_cut_short": "a torn PDU",
    "acceptance_with_long_item": "A-ASSOCIATE-AC",
}

TRANSCRIPTS = {
    **RESPONSES,
    **FIND_RESPONSES,
    **{name: f"FF00H + {size} | 0000H" for name, size in IDENTIFIERS.items()},
    **OTHER_FINDS,
    **PDUS,
    **GETS,
    **CLAIMS,
    **MOVES,
}
