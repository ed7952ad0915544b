"""Functions that run by themselves once they are deployed: `modal deploy scheduling.py`, then `lydian schedule list`."""

import modal

app = modal.App("scheduling")


# Every 5 hours
@app.function(schedule=modal.Period(hours=5))
def hourly_job():
    print("Running every 5 hours")


# Every day
@app.function(schedule=modal.Period(days=1))
def daily_job():
    print("Running daily")


# Every 30 minutes
@app.function(schedule=modal.Period(minutes=30))
def frequent_job():
    print("Running every 30 minutes")


# Every Monday at 8am UTC
@app.function(schedule=modal.Cron("0 8 * * 1"))
def monday_report():
    print("Weekly report")


# Every day at midnight
@app.function(schedule=modal.Cron("0 0 * * *"))
def nightly_cleanup():
    print("Daily cleanup")


# Every 15 minutes
@app.function(schedule=modal.Cron("*/15 * * * *"))
def frequent_check():
    print("Frequent check")
