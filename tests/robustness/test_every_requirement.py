"""Which tests hold which line of the requirements (bad input A, faults B, invariants C); each is there under its name.

What is not held, or otherwise than one may expect, stands in the limits of README and is said here.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
IMAGES, PEOPLE, RESULTS = (f"robustness/test_{name}.py" for name in ("bad_input_images", "bad_input_cohort", "results"))
HELD = {
    "A01": {IMAGES: "a_cut_stream_is_refused", "cohort/test_images.py": "a_cut_file_is_reported"},
    "A02": {IMAGES: "each_of_100_flipped_bytes_is_refused"},  # a plain .nii has no checksum: README
    "A03": {IMAGES: "a03_a_plain_image_that_is_too_short_is_refused_with_both_numbers a03_and_one_that_is_too_long"},
    "A04": {IMAGES: "what_is_no_image_has_its_own_hint a04_plain_named_gz_and_the_reverse"},
    "A05": {PEOPLE: "an_image_that_cannot_be_used_is_an_error_of_its_subject "
            "a05_outside_the_brain_is_a_warning_and_zeros"},
    "A06": {PEOPLE: "an_image_that_cannot_be_used_is_an_error_of_its_subject"},
    "A07": {IMAGES: "what_is_not_one_real_volume_is_refused a07_one_frame_is_a_volume"},
    "A08": {IMAGES: "a_scale_that_is_none_is_refused "
            "no_scale_means_stored_values_but_not_where_they_fill_the_range_of_integers"},
    "A09": {PEOPLE: "a09_mixed_units_name_both_groups_and_are_nobodys_alone a09_everybody_in_becquerel_is_out_of_range",
            IMAGES: "a09_values_that_no_unit_has_are_refused"},
    "A10": {IMAGES: "an_affine_that_maps_nowhere_is_refused"},
    "A11": {IMAGES: "two_places_are_refused_unless_one_is_chosen a11_without_orientation"},
    "A12": {IMAGES: "a12_all_48_orders_and_directions_of_the_axes_are_one_image"},
    "A13": {IMAGES: "a13_what_simpleitk_writes_in_lps_keeps_its_side",
            "prepare/test_subject.py": "the_lesion_keeps_side_and_volume"},
    "A14": {IMAGES: "another_grid_is_refused_with_both",
            PEOPLE: "an_image_that_cannot_be_used_is_an_error_of_its_subject"},
    "A15": {PEOPLE: "a15_the_same_voxels_under_two_ids", "cohort/test_folds.py": "a_leak_raises_with_the_subject",
            "cohort/test_index.py": "a_table_that_cannot_be_used_says_why",
            "uad/test_normative.py": "patients_heldout_controls_strangers_and_doubles_are_refused",
            "uad/test_detect.py": "the_images_of_a_control_are_refused_under_any_name"},  # two sessions: README
    "A16": {PEOPLE: "an_id_that_leads_elsewhere_is_refused"},
    "A17": {PEOPLE: "a17_results_within_the_cohort_are_refused",
            "prepare/test_running.py": "results_among_the_raw_images_are_refused_but_derivatives_are_their_place"},
    "A18": {IMAGES: "a_bomb_is_refused_fast_and_in_little_memory"},
    "A19": {PEOPLE: "a_table_that_cannot_be_used_is_reported_like_everything "
            "a19_a_subject_without_files_and_files_without_a_subject",
            "cohort/test_index.py": "byte_order_mark_crlf_and_blank_lines_are_accepted",
            "prepare/test_roles.py": "encodings_line_ends_and_blank_lines_are_accepted"},
    "A20": {PEOPLE: "a20_no_sidecar_is_a_warning_and_another_tracer_an_error "
            "a20_a_sidecar_of_any_text_is_refused_with_a_code"},
    "A21": {"prepare/test_reference.py": "a_region_outside_the_field_of_view_is_refused "
            "a_mean_that_is_not_positive_is_refused"},
    "A22": {RESULTS: "a_value_of_the_wrong_kind_is_refused a22_and_a30_on_the_command_line",
            "test_command.py": "a_misspelt_option_names_the_nearest_one_and_makes_no_folder "
            "an_unknown_group_choice_lists_the_choices",
            "patches/test_data.py": "a_patch_larger_than_the_volume_is_padded_with_zeros"},  # not refused: README
    "A23": {"test_safe_loading.py": "a_target_in_a_configuration_is_refused "
            "a_folder_of_configurations_from_a_stranger_runs_nothing"},
    "A24": {"test_safe_loading.py": "malicious_weights_are_refused malicious_arrays_are_refused "
            "a_malicious_checkpoint_is_refused a_python_tag_in_the_options_of_a_generator_is_refused"},
    "A25": {"test_privacy.py": "no_identity_comes_out_of_training_synthesis_and_detection",
            "prepare/test_privacy.py": "no_identity_comes_out_of_prepare",
            "test_online.py": "an_online_run_sends_lineage_and_numbers_and_nothing_that_tells_who"},
    "A26": {"test_privacy.py": "markup_of_a_header_or_table_runs_in_no_page markup_in_every_text_of_a_page_is_escaped"},
    "A27": {"test_training.py": "weights_of_another_architecture_are_refused_with_both_files",
            "test_safe_loading.py": "an_autoencoder_from_a_stranger_is_held_to_its_weights",
            "uad/test_native_space.py": "a_cohort_that_prepare_did_not_make_needs_images_on_its_grid",
            "uad/representation/test_fitting.py": "weights_of_another_network_are_refused"},
    "A28": {"uad/test_comparison.py": "an_evaluation_of_patients_whose_lesions_nobody_knows_is_refused",
            "uad/test_maps.py": "too_few_or_spoilt_controls_are_refused"},  # fewer than ten are not refused: README
    "A29": {"uad/test_patient.py": "what_the_field_of_view_leaves_out_is_untested_not_abnormal",
            "uad/test_patient_page.py": "what_was_not_judged_is_named_by_region"},
    "A30": {PEOPLE: "a30_a_cohort_that_cannot_be_written_and_a_path_with_accents",
            IMAGES: "a30_spaces_and_accents_in_a_path_that_cannot_be_written",
            RESULTS: "a22_and_a30_on_the_command_line"},
    "B01": {"faults/test_kill.py": "a_killed_training_goes_on_and_ends_with_the_same_weights "
            "many_killed_trainings_go_on_and_end_with_the_same_weights",
            "faults/test_two_devices.py": "b01_b03_a_stopped_command_leaves_no_process_and_goes_on"},
    "B02": {"faults/test_two_processes.py": "the_lock_of_a_dead_process_is_removed_with_a_message "
            "temporary_files_below_somebody_elses_lock_are_left_alone"},
    "B03": {"faults/test_signals.py": "a_signal_saves_within_a_step_and_the_rerun_ends_with_the_same_weights "
            "a_signal_to_the_parent_alone_lets_its_worker_processes_save"},
    "B04": {"faults/test_full_disk.py": "a_full_disk_leaves_the_old_file_and_says_how_much_is_missing "
            "a_training_on_a_full_disk_keeps_its_checkpoint_and_goes_on_when_there_is_space"},
    "B05": {"faults/test_damaged_checkpoints.py": "none_whole_is_65_and_nothing_starts_anew "
            "the_one_before_takes_its_place_with_a_warning_that_names_both no_flipped_bit_changes_a_weight_unseen"},
    "B06": {"faults/test_workers.py": "an_error_that_is_none_of_ours_comes_with_the_name "
            "a_worker_that_uses_no_processor_is_ended_and_named_and_the_others_finish",
            "test_compute.py": "a_killed_worker_is_reported_with_the_name_and_the_others_finish",
            "faults/test_signals.py": "workers_of_a_killed_parent_save_and_end"},
    "B07": {"faults/test_workers.py": "too_little_memory_is_70_with_advice"},
    "B08": {"faults/test_losses.py": "single_bad_steps_are_skipped_and_counted_and_leave_no_trace "
            "bad_steps_without_end_stop_it_and_the_checkpoint_before_is_kept "
            "weights_that_are_no_numbers_are_never_saved",
            "faults/test_two_devices.py": "b08_a_loss_that_is_bad_on_one_device_is_skipped_on_both"},
    "B09": {"test_evaluation.py": "the_mean_pet_as_generator_closes_nothing_and_has_collapsed",
            "test_quality_failures.py": "a_generator_that_ignores_the_t1_is_flagged_even_if_its_pets_vary",
            "uad/test_normative.py": "a_collapsed_set_is_refused_unless_forced "
            "generators_that_copy_or_ignore_the_t1_are_refused_unless_forced"},
    "B10": {"test_tracking.py": "a_server_that_does_not_answer_costs_one_warning "
            "a_key_that_the_server_refuses_is_said_and_the_run_is_offline "
            "a_crash_of_its_process_ends_the_logging_not_the_work "
            "without_wandb_installed_training_is_whole_and_says_so_once"},
    "B11": {"faults/test_two_processes.py":
            "a_second_training_on_the_same_folder_is_refused_and_the_first_one_finishes "
            "the_lock_of_a_dead_process_is_removed_with_a_message"},
    "B12": {PEOPLE: "everything_is_found_at_once_and_written_before_work_starts "
            "skip_goes_on_without_the_bad_and_says_whom_it_left_out "
            "b12_whom_skip_left_out_stands_in_the_notices_of_every_page_and_in_the_summaries"},
    "B13": {"faults/test_rerun.py": "the_same_command_makes_nothing another_option_makes_what_depends_on_it "
            "a_changed_image_makes_what_has_seen_it"},
    "C01": {"robustness/test_invariants.py": "the_same_seed_gives_the_same_bytes "
            "c01_processes_and_loaders_change_no_weight",
            "patches/test_data.py": "workers_draw_the_same_batches", "test_evaluation.py": "threads_change_no_number",
            "uad/test_evaluation.py": "one_after_the_other_and_side_by_side_give_the_same_bytes",
            "phantom/test_cohort.py": "same_seed_gives_same_bytes_whatever_the_number_of_processes"},
    "C02": {"robustness/test_invariants.py": "the_patches_beside_a_patch_do_not_change_its_pet "
            "the_order_of_the_controls_and_who_was_scored_before_change_no_map",
            "uad/support/test_voxelwise.py": "order_of_controls_changes_nothing"},
    "C03": {"prepare/test_pet_on_template.py": "the_mean_of_the_reference_is_one_whatever_the_unit"},
    "C04": {"test_inference.py": "an_identity_generator_returns_its_input a_constant_generator_gives_a_constant_brain"},
    "C05": {"robustness/test_invariants.py": "flipping_a_patient_left_to_right_flips_the_clusters",
            "uad/test_rivals.py": "the_mirror_image_of_a_patient_has_the_mirror_image_of_the_map"},
    "C06": {"uad/test_depth_and_health.py": "deeper_lesions_are_found_at_least_as_often "
            "people_without_a_lesion_have_no_candidate_as_often_as_promised",
            "uad/test_detection.py": "a_deeper_lesion_is_found_no_less",
            "uad/test_calibration.py": "new_controls_show_the_stated_rate"},
    "C07": {"robustness/test_invariants.py": "conformal_p_of_exchangeable_people_is_uniform_and_never_zero",
            "test_statistics.py": "conformal_p_of_held_out_controls_is_uniform"},
    "C08": {"test_statistics.py": "mcnemar_exact_and_mid_p_are_those_of_fagerland_2013 "
            "wilcoxon_is_that_of_darwins_maize intervals_of_a_proportion_are_those_of_newcombe_1998 "
            "the_poisson_interval_is_garwoods_table"},
    "C09": {"test_quality_failures.py": "shuffled_pairs_lower_ssim"},
    "C10": {"test_quality_failures.py": "a_generator_that_returns_training_pets_is_flagged "
            "a_generator_trained_elsewhere_is_not_flagged"},
    "C11": {RESULTS: "every_image_is_float32_or_uint8_in_mm_with_one_place c11_every_image_of_a_cohort",
            "test_bids_validator.py": "a_completed_control_set_is_valid"},
    "C12": {RESULTS: "c12_every_output_is_in_a_manifest_and_unchanged "
            "c12_what_changed_is_missing_or_is_in_no_manifest_is_named"},
    "C13": {"uad/support/test_subject.py": "it_is_an_estimator_as_scikit_learn_has_them "
            "decision_values_equal_those_of_scikit_learn_on_the_same_patches",
            # an array (n, voxels, d) is no input of scikit-learn's own checks
            "uad/support/test_voxelwise.py": "decision_values_equal_those_of_scikit_learn "
            "signs_are_those_of_scikit_learn_near_the_boundary parameters_are_cloned_and_set",
            "uad/support/test_storage.py": "loaded_voxelwise_machines_decide_as_the_saved_ones "
            "a_loaded_subject_machine_decides_as_the_saved_one"},
    "C14": {"report/test_html.py": "nothing_comes_from_outside "
            "the_research_use_banner_comes_first_and_every_notice_is_there",
            "uad/test_patient_page.py": "notices_say_who_is_synthetic_and_who_is_simulated "
            "the_left_of_the_brain_is_on_the_left_of_the_picture "
            "no_candidate_is_said_with_how_often_healthy_people_get_it"},
    "C15": {"test_readme.py": "a_command_of_the_readme_composes every_yaml_composes "
            "the_commands_of_the_readme_run_and_write_what_it_says",
            "test_command.py": "help_explains_the_command every_study_composes_with_every_gan"},
}  # fmt: skip
HELD |= {  # P: what a reader of raw data must not guess
    "P01": {"prepare/test_roles.py": "known_words_of_any_case_and_number_tell_who_is_ill "
            "other_words_stop_with_the_values_and_the_option_that_says_what_they_mean "
            "numbers_mean_what_participants_json_says "
            "a_table_that_says_nothing_of_health_is_asked_about_until_the_user_says_so "
            "an_empty_group_is_a_problem_of_its_person ids_that_a_spreadsheet_shortened_are_matched_and_said "
            "ids_that_could_be_several_people_are_nobodys a_table_of_other_people_is_an_error "
            "controls_with_lesions_where_no_patient_has_one_are_asked_about "
            "a_control_with_a_lesion_beside_patients_with_theirs_is_a_problem_and_an_empty_mask_is_none "
            "a_row_that_contradicts_itself_is_a_problem_of_its_person "
            "without_a_table_names_of_patients_are_asked_about",
            "prepare/test_decisions.py": "group_images_and_choices_of_a_person_come_with_their_reasons",
            "prepare/test_cohort.py": "pages_say_who_was_taken_as_what_and_why "
            "an_unanswered_question_stops_before_anything_is_made"},
    "P11": {"uad/test_native_space.py": "a_raw_patient_is_prepared_examined_and_shown_in_the_own_space"},
    "P10": {"prepare/test_reading.py": "a_t1_or_pet_under_two_ids_is_found_in_the_raw_folder "
            "validation_gives_all_reasons_of_a_person "
            "validation_finds_what_preparation_refuses"},
    "P08": {PEOPLE: "a_control_with_a_lesion_is_an_error_and_an_empty_mask_is_none",
            "cohort/test_index.py": "usual_words_of_a_table_are_understood_and_said_on_every_page"},
    "P02": {"prepare/test_roles.py": "sex_is_mapped_by_a_list m_beside_h_may_be_a_woman_and_is_left_out "
            "ages_are_years_or_left_out ages_in_months_are_months_where_participants_json_says_so "
            "a_site_has_one_spelling"},
    "P03": {"prepare/test_choose.py": "the_session_of_both_is_taken_and_not_the_first_of_the_alphabet "
            "before_surgery_comes_before_after_it_where_both_have_both "
            "a_t1_of_after_surgery_and_a_pet_of_before_are_refused_unless_said "
            "without_a_session_of_both_the_nearest_in_time_is_taken "
            "without_tables_the_times_of_sidecars_count "
            "flair_and_lesion_of_after_surgery_do_not_go_with_a_t1_of_before",
            "prepare/test_layouts.py": "names_of_plain_folders_tell_contrast_agent_and_surgery"},
    "P04": {"prepare/test_choose.py": "the_best_of_several_t1_is_used_and_it_is_said_why "
            "a_lesion_mask_of_a_t1_that_is_not_used_is_not_used "
            "a_thin_t1_with_contrast_agent_comes_before_thick_slices_and_is_said "
            "words_without_contrast_are_no_contrast"},
    "P05": {"prepare/test_choose.py": "a_pet_that_is_not_corrected_for_attenuation_is_not_used "
            "an_uncorrected_pet_is_used_where_its_name_is_asked_for "
            "a_pet_of_the_body_is_not_used_beside_one_of_the_head where_no_pet_of_a_folder_is_used_that_is_said",
            "prepare/test_pet.py": "a_pet_whose_sidecar_says_that_nothing_was_corrected_is_noted_wherever_it_is_read"},
    "P06": {"prepare/test_raw.py":
            "links_that_lead_out_are_not_followed_unless_said_and_what_lies_there_is_not_named "
            "links_within_the_folder_and_into_the_annex_of_its_data_set_are_followed "
            "a_table_or_sidecar_that_is_a_link_out_of_the_folder_is_not_read a_pipe_among_the_images_is_passed_by"},
    "P07": {"prepare/test_frames.py": "a_single_frame_needs_no_times",
            "prepare/test_pet.py": "a_pet_far_longer_than_a_head_without_one_is_refused_and_padding_does_not_count"},
    "P09": {"prepare/test_raw.py": "what_converters_write_tells_the_tracer a_pet_without_trc_is_known_by_its_sidecar "
            "other_and_unknown_tracers_are_not_used_with_the_reason "
            "a_known_other_tracer_alone_leaves_a_person_unpaired_without_a_problem"},
}  # fmt: skip
HELD |= {  # images, and the one gate that they come through
    "V01": {"cohort/test_coverage.py": "padding_of_any_kind_was_not_measured "
            "a_pet_of_integers_with_an_intercept_has_the_view_of_its_floats "
            "a_frame_that_was_moved_leaves_no_plane_that_is_too_low",
            PEOPLE: "padding_that_is_not_zero_is_found_and_is_zero_for_everybody_who_reads_the_pet"},
    "V02": {"prepare/test_brain.py": "a_brain_with_negative_values_is_what_is_not_background "
            "a_brain_below_zero_is_raised_and_said_and_any_other_is_left_alone",
            "prepare/test_reading.py": "a_brain_with_values_below_zero_keeps_its_whole_mask"},
    "V03": {"prepare/test_reading.py": "validation_finds_what_preparation_refuses"},
    "V04": {"cohort/test_lesions.py": "masks_that_speak_for_themselves a_probability_below_one_half_is_refused "
            "values_that_could_mean_several_things_are_refused_with_the_option "
            "a_named_label_is_the_lesion_and_nothing_else a_label_that_is_not_there_is_refused",
            "prepare/test_reading.py": "a_lesion_mask_that_shows_no_lesion_of_the_brain_is_refused",
            PEOPLE: "a_lesion_that_evaluation_cannot_use_is_found_before_any_training",
            "prepare/test_brain.py": "masks_of_other_values_mean_the_same_brain "
            "a_mask_with_values_below_zero_is_refused"},
    "V05": {"test_plausibility.py": "nothing_is_said_of_good_people what_is_wrong_has_its_own_code "
            "without_tissue_maps_the_brightness_of_the_t1_tells two_people_whose_pets_are_mixed_up_are_named "
            "units_that_are_none_of_suvr_are_said",
            "uad/test_detect.py": "a_bad_image_is_named_with_what_was_expected"},
    "V07": {IMAGES: "other_formats_are_named_with_what_converts_them an_ending_in_capitals_is_an_ending"},
    "V08": {IMAGES: "every_dialect_of_nifti_is_the_same_picture_for_reader_and_quality_control "
            "sides_that_disagree_are_seen_in_nifti_2_as_well"},
    "V09": {"prepare/test_qc.py": "who_shares_little_of_the_asymmetry_is_looked_at_and_only_a_mirrored_one_is_wrong",
            "prepare/test_real_images.py": "sides_of_real_people_raise_no_alarm_and_nearly_all_swapped_ones_do"},
    "V10": {PEOPLE: "a_patient_without_pet_is_said_before_any_training"},
    "V06": {"test_plausibility.py": "a_grid_that_evaluation_cannot_use_is_refused_before_any_training"},
}  # fmt: skip
HELD |= {  # S: other people's machines, commands and safety
    "S01": {"test_safe_configuration.py": "a_former_run_is_never_unpickled "
            "plugins_outside_the_installation_are_not_looked_for a_search_path_is_a_folder_not_a_package "
            "a_folder_of_configurations_is_still_found"},
    "S02": {"test_safe_configuration.py": "a_file_that_unfolds_without_end_is_refused_at_once "
            "a_pipe_is_no_configuration"},
    "S03": {"test_safe_configuration.py": "the_environment_does_not_reach_a_configuration "
            "hydra_writes_nowhere_by_itself "
            "a_default_of_a_file_does_not_reach_the_environment_either one_option_may_still_name_another"},
    "S04": {"prepare/test_mask_command.py": "a_shell_that_the_user_names_sees_no_signs_of_folder_names"},
    "S05": {"test_surroundings.py": "variables_of_other_programs_are_left_out "
            "what_the_user_chose_for_this_machine_stays a_job_of_several_tasks_without_srun_trains_as_one "
            "warnings_of_libraries_are_no_errors figures_are_drawn_alike_whatever_other_projects_have_set "
            "modules_of_the_current_folder_are_not_taken_unless_the_program_lies_there"},
    "S06": {"prepare/test_transform.py": "a_folder_whose_name_is_no_utf8_is_read_and_written",
            "test_surroundings.py": "any_terminal_shows_any_name processes_of_a_command_show_any_name_too "
            "a_command_whose_output_is_closed_says_nothing_and_works "
            "in_another_locale_paths_and_texts_are_utf8_all_the_same"},
    "S07": {"test_surroundings.py": "a_user_without_a_name_or_home_can_train"},
    "S08": {"test_surroundings.py": "signs_that_a_terminal_obeys_are_written_out "
            "a_name_that_is_no_utf8_or_no_text_is_written_into_every_file"},
    "S10": {"test_arguments.py": "every_sign_in_a_path_arrives every_sign_in_the_folder_of_a_cohort_arrives "
            "every_sign_in_every_path_arrives_in_the_configuration a_tilde_is_the_home_folder "
            "what_the_user_has_quoted_or_left_empty_stays where_a_comma_separates_values_texts_are_left_alone"},
    "S11": {"test_arguments.py": "a_name_that_leads_elsewhere_is_refused "
            "every_name_is_checked_before_anything_is_made a_name_of_any_language_and_a_named_option_are_accepted"},
    "S12": {"test_allowed.py": "a_value_that_cannot_work_is_refused_with_what_is_allowed all_problems_are_said_at_once "
            "what_prepare_cannot_read_is_refused a_value_of_a_file_is_held_to_the_same_table "
            "what_the_files_have_is_allowed "
            "the_table_has_every_option_that_a_generator_is_trained_with "
            "patches_are_refused_exactly_where_the_networks_cannot_take_them"},
    "S13": {"test_training.py": "another_stride_of_inference_trains_nothing_again_and_starts_nothing_anew"},
    "S09": {"test_surroundings.py": "wandb_hears_nothing_of_other_projects "
            "wandb_that_is_switched_off_on_a_machine_stays_off wandb_that_is_offline_on_a_machine_does_not_go_online"},
}  # fmt: skip
HELD |= {  # what is loaded, what is lost, whose a folder is
    "L01": {"test_claim.py": "a_simulated_cohort_is_never_written_over_a_prepared_one "
            "a_folder_of_somebodys_own_is_not_written_into "
            "prepare_does_not_write_over_the_cohort_of_another_data_set "
            "results_of_other_people_are_not_mixed_into_a_work_dir a_data_set_is_no_place_for_results "
            "results_that_were_copied_from_another_study_are_left_alone"},
    "L02": {"test_claim.py": "another_patients_page_is_not_replaced",
            "uad/test_detect.py": "a_loop_over_files_of_one_name_replaces_nobodys_page"},
    "L03": {"test_stage.py": "what_is_loaded_is_held_to_the_hash_that_it_was_written_with",
            "test_completion.py": "a_generator_with_a_changed_byte_is_not_used "
            "weights_that_are_no_numbers_synthesise_nothing",
            "patches/test_data.py": "cached_volumes_with_a_changed_byte_are_made_anew",
            "uad/test_evaluation.py": "a_detector_or_calibration_with_a_changed_byte_is_not_used"},
    "L04": {"test_stage.py": "an_input_that_is_replaced_while_the_stage_runs_leaves_no_manifest",
            "uad/test_evaluation.py": "what_only_the_table_tells_of_patients_reaches_tables"},
    "L05": {"uad/test_evaluation.py": "who_is_left_out_and_who_no_longer_is_stands_in_summary_and_pages"},
    "L06": {"test_completion.py": "people_are_told_by_their_voxels_whatever_the_file "
            "a_mistyped_folder_of_generators_is_named_with_what_is_there"},
    "L07": {"test_loaded.py": "rows_are_read_up_to_the_last_whole_one a_torn_row_stops_no_training_from_going_on "
            "incomplete_arrays_and_a_calibration_of_another_form_are_named",
            "test_stage.py": "a_manifest_of_another_form_is_none"},
    "L13": {"test_training.py": "a_checkpoint_of_another_form_is_an_error_with_advice"},
    "L08": {"test_loaded.py": "folds_of_another_form_are_refused a_pipe_is_refused_and_not_waited_for "
            "a_configuration_that_unfolds_is_refused_at_once a_grid_that_no_t1_has_is_refused "
            "transforms_that_are_none_are_refused a_manifest_that_does_not_list_the_weights_vouches_for_nothing"},
    "L09": {"patches/test_data.py": "too_little_shared_memory_for_loaders_is_said_before_they_hang "
            "loaders_that_end_or_hang_are_named_with_what_to_do",
            "faults/test_workers.py": "a_worker_that_waits_and_only_looks_now_and_then_is_ended_too"},
    "L10": {"test_stage.py": "inputs_can_be_named_by_what_they_are",
            "test_training.py": "wandb_offline_keeps_the_run_on_the_machine"},
    "L11": {"faults/test_signals.py": "a_terminal_that_closes_leaves_no_temporary_folder"},
    "L12": {"test_loaded.py": "arrays_are_written_whole_part_by_part",
            "faults/test_full_disk.py": "a_full_disk_leaves_the_old_file_and_says_how_much_is_missing "
            "an_array_that_the_disk_cannot_hold_is_refused_before_it_is_written "
            "a_short_write_of_numpy_is_a_full_disk"},
}  # fmt: skip
LINES = [f"{letter}{number:02d}" for letter, last in (("A", 30), ("B", 13), ("C", 15)) for number in range(1, last + 1)]
LINES += sorted(set(HELD) - set(LINES))


@pytest.mark.parametrize("line", LINES)
def test_the_tests_of_a_requirement_are_there(line):
    for path, names in HELD[line].items():
        tree = ast.parse((TESTS / path).read_text())
        there = {node.name.removeprefix("test_") for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert set(names.split()) - there == set(), f"{line}: not in tests/{path}"
