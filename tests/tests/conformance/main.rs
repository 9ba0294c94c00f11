//! One suite for all runtimes: each test is written once, and run on each of them. That their counts are equal follows from the
//! list below; `cargo xtask test` looks nevertheless.
//!
//! To run a runtime of your own through it, add a module like `tokio_current_thread`.

mod suite;

mod async_std;
mod custom;
mod smol;
mod tokio_current_thread;
mod tokio_multi_thread;

/// Declares every test of the suite for one runtime.
macro_rules! conformance {
    ($flavour:expr) => {
        $crate::declare! { $flavour;
            getting {
                building_opens_nothing
                the_first_get_opens_a_resource_and_lends_it
                what_came_home_is_lent_again
                what_lies_idle_is_had_by_a_single_poll
                as_many_as_may_be_are_lent_at_once_and_not_one_more
                a_caller_waits_until_somebody_gives_back
                tasks_are_served_in_the_order_in_which_they_came
                a_newcomer_does_not_overtake_who_waits
                a_get_may_own_its_handle
                a_clone_is_a_handle_to_the_same_pool
                no_more_wait_than_may
                with_no_waiters_at_all_only_what_is_idle_is_lent
                an_offer_that_nobody_fetches_goes_to_the_next
            }
            trying {
                try_get_takes_what_lies_idle
                try_get_starts_a_creation_and_says_so
                try_get_starts_a_check_and_says_so
                try_get_says_when_creating_fails
                try_get_says_when_the_pool_is_paused
                try_get_says_when_the_pool_is_closed
                try_get_takes_nothing_from_those_who_wait
            }
            returning {
                a_guard_that_is_dropped_gives_back_a_finished_use
                a_guard_is_its_resource
                what_comes_home_goes_to_the_first_who_waits_only
                what_is_discarded_is_closed_without_asking_the_manager
                what_is_detached_is_the_borrowers_and_its_place_is_free
                what_the_manager_discards_is_closed_and_replaced
                a_run_that_ends_is_a_finished_use
                a_run_that_is_dropped_half_way_is_a_cancelled_use
                a_task_aborted_in_a_run_leaves_nothing_to_the_next_borrower
                with_takes_runs_and_gives_back
                a_with_that_is_dropped_half_way_is_a_cancelled_use
                a_with_that_is_dropped_while_it_waits_is_as_if_never_called
                metrics_tell_the_life_of_a_resource
            }
            strict {
                a_guard_that_is_merely_dropped_was_cancelled
                finish_run_and_with_say_that_a_use_is_finished
                a_use_after_a_finished_one_has_to_be_finished_itself
            }
            cancelling {
                a_get_that_was_never_polled_asks_for_nothing
                who_leaves_the_queue_leaves_no_gap
                what_was_set_aside_for_who_leaves_goes_to_the_next
                what_was_set_aside_for_the_last_who_leaves_lies_idle
                a_creation_outlives_the_caller_that_asked_for_it
                a_creation_that_nobody_waits_for_any_more_is_kept
                a_check_outlives_the_caller_that_asked_for_it
                tasks_that_are_aborted_leave_the_queue_empty
                tasks_aborted_while_they_are_served_lose_nothing
                a_close_that_is_dropped_goes_on_by_itself
                a_close_that_was_never_polled_closes_nothing
                a_notice_may_be_dropped_and_asked_for_again
            }
            deadlines {
                a_timeout_ends_the_waiting
                the_pools_own_timeout_holds_unless_a_call_has_another
                a_deadline_ends_the_waiting
                a_timeout_counts_from_the_first_poll
                without_patience_only_what_is_idle_is_lent
                who_waits_for_ever_is_served_in_the_end
                each_of_many_deadlines_is_kept
                whose_time_is_over_is_passed_over
                a_timeout_names_what_the_time_was_spent_on
                a_timeout_carries_the_last_failed_creation
                a_timeout_names_who_holds_what
                a_creation_has_a_deadline_of_its_own
                a_check_has_a_deadline_of_its_own
                a_reset_has_a_deadline_of_its_own
                a_close_has_a_deadline_of_its_own
                a_return_in_time_is_worth_more_than_a_creation_that_hangs
                a_creation_outlives_the_deadline_of_its_caller
            }
            hanging {
                get_ends_by_its_deadline_while_create_hangs
                get_ends_by_its_deadline_while_check_hangs
                get_ends_by_its_deadline_while_reset_hangs
                get_ends_by_its_deadline_while_close_hangs
                get_ends_by_its_deadline_while_everything_hangs
            }
            creating {
                no_more_are_created_at_a_time_than_may
                a_pool_opens_no_more_than_are_asked_for
                what_is_created_goes_to_who_waits_longest
                size_is_never_exceeded_while_things_come_and_go
                a_slow_creation_does_not_keep_others_from_what_is_idle
                a_creation_that_nobody_needs_any_more_is_not_begun
            }
            failing {
                a_failure_that_may_pass_costs_waiting_and_no_error
                a_failure_that_will_not_pass_is_told_at_once_to_all_it_concerns
                who_can_wait_for_a_return_is_not_told_of_a_failure
                a_pool_comes_back_after_a_failure_that_was_not_to_pass
                after_many_failures_in_a_row_callers_are_refused_at_once
                after_a_failure_one_creation_at_a_time_probes
                a_creation_that_panics_is_a_fault_with_its_message
                a_creation_that_hangs_is_a_fault
                a_failure_leaves_no_place_taken
            }
            checking {
                what_lay_idle_is_checked_before_it_is_lent
                without_a_window_nothing_is_checked
                what_lay_idle_for_longer_than_the_window_is_checked
                what_comes_home_to_somebody_who_waits_is_not_checked
                what_fails_its_check_is_closed_and_replaced
                what_is_dead_is_never_lent
                dead_resources_that_do_not_answer_keep_nobody_from_a_new_one
                callers_wait_for_a_check_and_not_for_a_new_resource
            }
            resetting {
                what_is_to_be_cleaned_is_lent_clean
                the_borrower_does_not_wait_for_the_cleaning
                who_waits_has_what_was_cleaned
                what_cannot_be_cleaned_is_closed_and_replaced
            }
            closing {
                close_closes_what_is_idle
                close_waits_for_what_is_lent
                a_close_that_runs_out_of_patience_names_who_still_holds_what
                close_refuses_those_who_wait_and_those_who_come
                closing_and_drained_are_noticed_by_all_who_wait_for_them
                close_may_be_called_by_many_each_with_its_own_patience
                a_creation_that_ends_after_the_close_is_closed_and_never_lent
                what_was_set_aside_when_the_pool_closes_is_closed_or_lent_and_never_lost
                a_close_that_hangs_does_not_keep_the_pool_from_its_end
                a_paused_pool_closes_too
                a_pool_that_was_never_used_closes
            }
            resizing {
                growing_serves_who_waits
                a_pool_may_grow_far_beyond_the_size_it_was_built_with
                shrinking_closes_what_is_idle_first
                what_is_lent_beyond_the_size_goes_as_it_comes_home
                nothing_is_created_while_there_is_too_much
                a_pool_of_size_zero_lends_nothing_until_it_grows
                a_size_that_flaps_upsets_nothing
                a_size_that_no_pool_can_have_is_refused_and_changes_nothing
            }
            pausing {
                while_paused_nobody_is_served_and_then_everybody_is
                what_is_lent_stays_lent_and_may_come_home
                timeouts_run_while_paused
                pausing_twice_is_pausing_once
                what_was_being_created_is_kept_for_afterwards
            }
            retiring {
                a_new_epoch_closes_what_is_idle
                what_is_lent_goes_when_it_comes_home_however_it_comes
                a_creation_in_flight_is_void_when_a_new_epoch_begins
                with_a_spread_what_is_open_may_be_lent_until_its_moment
                after_the_spread_nothing_of_the_old_epoch_is_lent
                what_lies_idle_too_long_is_closed
                what_is_too_old_is_closed_when_it_lies_idle
                what_is_too_old_is_left_to_its_borrower_and_goes_when_it_comes_home
                what_is_in_use_is_not_idle_however_long
            }
            adding {
                what_was_added_is_lent_and_closed_like_any_other
                what_was_added_goes_to_who_waits
                what_finds_no_room_or_a_closed_pool_comes_back
            }
            retaining {
                what_nobody_wants_to_keep_is_closed
                what_is_lent_is_not_looked_at
                who_comes_during_a_look_is_served_after_it
                a_panic_during_a_look_costs_what_was_looked_at
            }
            keeping {
                as_many_as_are_to_be_ready_are_opened_unasked
                what_is_taken_is_made_up_for_as_far_as_there_is_room
                the_last_that_are_to_be_ready_are_never_too_idle
                what_is_retired_is_replaced_unasked
                where_there_is_no_runtime_the_first_caller_begins
            }
            panics {
                a_panic_in_create_costs_an_attempt
                a_panic_in_check_costs_that_resource
                a_panic_in_reset_costs_that_resource
                a_panic_in_close_frees_the_place
                a_panic_in_on_return_costs_that_resource_and_does_not_get_out
                a_panic_in_a_destructor_frees_the_place
                a_panic_in_is_transient_is_taken_for_a_failure_that_may_pass
                a_panic_in_a_waker_costs_nobody_a_turn
                a_task_that_panics_gives_back_and_says_so
                a_task_that_panics_while_it_waits_leaves_the_queue
                a_panic_in_with_reaches_the_caller_and_no_next_borrower
                a_panic_in_run_counts_though_it_was_caught
            }
            reporting {
                status_counts_what_everything_is_doing
                totals_count_what_happened_by_cause
                holders_are_told_by_place_time_and_label
                with_is_told_by_the_place_of_its_call
                a_label_ends_with_its_lease
                nobody_holds_what_lies_idle_was_detached_or_goes
            }
            watching {
                the_life_of_a_pool_is_told_and_numbered
                each_closing_is_told_with_its_reason
                each_failure_is_told_with_its_cause
                each_refusal_is_told_with_its_place
                what_an_operator_does_is_told
                the_end_of_a_driver_is_told_and_the_next_one
                a_sink_may_panic_and_may_call_the_pool
                a_lease_that_lasts_too_long_is_suspected_and_never_ended
                only_who_waits_for_itself_is_told_so
            }
            settings {
                settings_that_no_pool_can_have_are_refused_by_name
                a_pool_with_nothing_but_defaults_works
                a_pool_with_every_time_as_short_as_can_be_works
                a_pool_has_the_name_it_was_given
                the_last_of_several_settings_holds
                a_pool_without_self_service_serves_as_well
            }
            defaults {
                by_default_every_check_succeeds
                by_default_nothing_can_be_cleaned
                by_default_things_are_dropped_where_that_may_take_its_time
                by_default_every_failure_may_pass
                a_resource_that_only_one_thread_may_see_at_a_time_goes_from_thread_to_thread
            }
            threads {
                a_guard_may_go_home_from_any_thread
                what_comes_home_from_another_thread_serves_who_waits
                a_guard_may_go_home_from_another_runtime
                a_guard_in_a_thread_local_goes_home_when_its_thread_ends
                threads_without_a_runtime_are_served_while_the_pool_is_driven
                a_deadline_is_kept_on_a_thread_without_a_runtime
                guards_are_handed_from_task_to_task
                two_runtimes_share_a_pool
                the_pool_may_be_looked_at_from_anywhere_meanwhile
                what_is_given_up_is_dropped_where_it_holds_up_nobody
            }
            dropping {
                the_last_handle_that_is_dropped_closes_the_pool
                a_guard_outlives_its_pool
                what_is_being_opened_when_the_pool_is_dropped_is_closed
                a_pool_that_was_dropped_leaves_no_task_behind
                a_pool_that_was_dropped_unused_leaves_nothing_behind
                a_pool_may_be_dropped_on_a_thread_without_a_runtime
                a_weak_handle_keeps_no_pool_open
                a_task_that_holds_a_weak_handle_may_outlive_the_pool
            }
            runtime_gone {
                what_lay_idle_when_a_runtime_ended_is_checked_before_it_is_lent
                what_was_under_way_when_a_runtime_ended_costs_no_place
                work_that_a_runtime_takes_and_drops_unseen_costs_no_place
                who_waits_is_served_by_the_next_runtime
                a_deadline_is_kept_by_the_next_runtime
                without_a_runtime_what_lies_idle_is_served
                without_a_runtime_nothing_can_be_waited_for
                who_waits_when_the_last_runtime_ends_is_told
                guards_go_home_without_a_runtime
                a_creation_that_went_down_with_its_runtime_is_a_fault
                a_pool_that_drains_when_its_runtime_ends_drains_on_the_next
                a_pool_may_be_dropped_when_its_runtime_has_ended
                a_runtime_may_end_many_times
                a_deadline_is_kept_though_the_pools_runtime_stands_still
                who_waits_replaces_a_driver_that_stands_still
                work_that_cannot_be_stopped_is_counted_until_it_ends
                a_pool_serves_on_after_the_instance_that_drove_it_is_gone
                many_short_lived_instances_share_a_pool
                a_pool_may_be_built_where_there_is_no_runtime
            }
            stress {
                callers_who_do_everything_leave_the_pool_whole
                callers_who_are_torn_out_anywhere_leave_the_pool_whole
                callers_and_an_operator_who_changes_everything_leave_the_pool_whole
                callers_of_a_backend_that_fails_now_and_then_leave_the_pool_whole
                threads_and_tasks_together_leave_the_pool_whole
            }
        }
    };
}

/// Declares the tests of a list, in a module for each topic.
macro_rules! declare {
    ($flavour:expr; $($topic:ident { $($test:ident)* })*) => {
        $(mod $topic {
            $(#[test]
            fn $test() {
                $flavour.test($crate::suite::$topic::$test);
            })*
        })*
    };
}

pub(crate) use {conformance, declare};
