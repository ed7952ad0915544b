"""A pipeline that runs by itself every night at two, once it is deployed: `modal deploy scheduled_pipeline.py`."""

import json

import modal

app = modal.App("data-pipeline")

volume = modal.Volume.from_name("data-volume", create_if_missing=True)


def extract_from_database(url: str) -> list[dict]:
    return [{"id": number, "from": url} for number in range(3)]


def transform_data(rows: list[dict]) -> list[dict]:
    return [{**row, "id": row["id"] * 10} for row in rows]


@app.function(
    schedule=modal.Cron("0 2 * * *"),  # 2am daily, UTC
    volumes={"/data": volume},
    secrets=[modal.Secret.from_name("database-creds")],
)
def daily_etl():
    import os

    processed = transform_data(extract_from_database(os.environ["DB_URL"]))
    with open("/data/processed.json", "w") as file:
        json.dump(processed, file)
    volume.commit()
    print(f"Processed {len(processed)} records")
