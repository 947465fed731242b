"use client";
import { useSearchParams } from "next/navigation";
export default function Page() { return <h1>Log in {useSearchParams().get("from")}</h1>; }
